"""Ties a program to the daemon that starts it, then becomes it: `python -I -S leash.py PID PROGRAM ARGUMENT…`.

Rule: however the daemon ends, also by `kill -9`, the program ends with it. Linux sees to that; elsewhere what is left
is the end of its standard input. It needs nothing but Python's own library, and not all of that.
"""

import os
import signal
import sys

PR_SET_PDEATHSIG = 1
NOT_FOUND, NOT_STARTED = 127, 126


def main(daemon: int, command: list[str]) -> int:
    """Never returns where the program can be started; else the code to exit with."""
    try:
        import ctypes  # noqa: PLC0415 - where it cannot be had, the program runs all the same

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    except (ImportError, OSError, AttributeError, MemoryError):
        pass
    if os.getppid() != daemon:
        return NOT_STARTED  # it ended before it could be tied to
    try:
        os.execvp(command[0], command)  # noqa: S606 - the operator's own command, without a shell
    except FileNotFoundError:
        return NOT_FOUND
    except OSError:
        return NOT_STARTED


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
