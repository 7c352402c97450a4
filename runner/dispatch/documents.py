"""Documents that strangers send, opened at arm's length.

Rules: a PDF is read by another process with limits of its own (`pdf_text`), at most `AT_ONCE` of them at a
time; whatever goes wrong there, the answer here is that it cannot be opened.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

AT_ONCE = 2
PATIENCE_S = 10.0
_READER = Path(__file__).with_name("pdf_text.py")


class Documents:
    """Reads documents, a few at a time."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(AT_ONCE)

    async def text_of_pdf(self, data: bytes) -> str | None:
        """The text, cut a little over what a message may have; None where there is none to be had."""
        async with self._places:
            try:
                reader = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-I",
                    str(_READER),
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.DEVNULL,
                    env={},
                )
            except OSError:
                return None
            try:
                async with asyncio.timeout(PATIENCE_S):
                    said, _ = await reader.communicate(data)
            except (TimeoutError, OSError):
                return None
            finally:
                if reader.returncode is None:
                    reader.kill()
                    await reader.wait()
            text = said.decode("utf-8", "replace").strip() if reader.returncode == 0 else ""
            return text or None
