"""Which bots.yaml is meant.

--config FILE, else $BOTRUNNER_CONFIG, else ./bots.yaml, else /etc/botrunner/bots.yaml. Where neither of the last
two is there, ./bots.yaml is meant, so that a message names the file that a person would write.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

HERE = Path("bots.yaml")
SYSTEM = Path("/etc/botrunner/bots.yaml")


def find_config(given: Path | None, environ: Mapping[str, str], system: Path = SYSTEM) -> Path:
    """The file that is meant; it need not exist. `given`: what --config says."""
    if given is not None:
        return given
    if environ.get("BOTRUNNER_CONFIG"):
        return Path(environ["BOTRUNNER_CONFIG"])
    return system if system.exists() and not HERE.exists() else HERE
