"""A process that copies a store and stops half-way, with nothing committed. Arguments: source, target, folder."""

import asyncio
import os
import sys
import threading
from pathlib import Path

from runner.clock import SystemClock
from runner.store.moving.ways import copy_store


def stop_half_way(done: int, whole: int) -> None:
    """Say so, and wait to be killed."""
    if 2 * done >= whole:
        os.write(1, b"half\n")
        threading.Event().wait()


asyncio.run(copy_store(sys.argv[1], sys.argv[2], Path(sys.argv[3]), SystemClock(), stop_half_way))
