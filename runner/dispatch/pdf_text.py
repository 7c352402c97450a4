"""The text of a PDF, read in a process of its own: this file is run, never imported by the daemon.

    stdin: the file        stdout: its text, UTF-8        exit 0, or 1 where it is no PDF that can be read

Rules: a PDF is a program that strangers send; here it may use five seconds of processor time and a gigabyte
of memory and no file or network, and what it does to this process touches nobody.
"""

from __future__ import annotations

import io
import logging
import resource
import sys

CPU_S = 5
MEMORY_BYTES = 1024**3
MAX_PAGES = 200
MAX_CHARS = 60_001
"""One more than the daemon takes, so that it sees that there was more."""


def main() -> int:
    """Read, write, exit."""
    for what, most in (
        (resource.RLIMIT_CPU, CPU_S),
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))
    logging.disable()
    from pypdf import PdfReader  # noqa: PLC0415 - within the limits
    from pypdf.errors import PyPdfError  # noqa: PLC0415

    texts: list[str] = []
    length = 0
    try:
        for number, page in enumerate(PdfReader(io.BytesIO(sys.stdin.buffer.read())).pages):
            if number == MAX_PAGES or length >= MAX_CHARS:
                break
            texts.append(page.extract_text())
            length += len(texts[-1])
    except (
        PyPdfError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
        MemoryError,
        OSError,
    ):
        return 1
    sys.stdout.buffer.write("\n\n".join(texts)[:MAX_CHARS].encode("utf-8", "replace"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
