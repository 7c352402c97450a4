"""Inside the machine: two installations of botrunner, as `make install` leaves them, from the mounted sources.

One can be made to hang: SIGUSR1 stops its main thread, and so its event loop, for good.
"""

import subprocess
from pathlib import Path

HOME = Path("/opt/botrunner")
PROGRAM = """#!/opt/botrunner/{slot}/bin/python -B
import signal, sys, time
signal.signal(signal.SIGUSR1, lambda *_: time.sleep(100_000))
from runner.cli.main import main
sys.exit(main())
"""


def main() -> None:
    for slot in ("a", "b"):
        home = HOME / slot
        subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", home], check=True)
        (home / "lib/python3.11/site-packages/here.pth").write_text("/opt/site\n/opt/src\n")
        program = home / "bin/botrunner"
        program.write_text(PROGRAM.format(slot=slot))
        program.chmod(0o755)
    (HOME / "current").symlink_to("a")


if __name__ == "__main__":
    main()
