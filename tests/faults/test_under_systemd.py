"""The service under a real systemd: start, reload, kill -9, a loop that is stuck, an upgrade, a faulty file.

The promise: nothing lost, nothing doubled but what the store lists, nothing paid twice. It is not part of
`make test`: BOTRUNNER_SYSTEMD=1 asks for it (`make faults` does).
"""

from pathlib import Path

import pytest

from tests.faults import systemd_machine


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_service_on_a_machine_of_its_own(tmp_path: Path) -> None:
    reason = systemd_machine.why_not()
    if reason:
        pytest.skip(reason)
    said = systemd_machine.boot(tmp_path)
    print(said)
    journal = tmp_path / "journal"
    assert said.endswith("ALL OF IT HOLDS\n"), journal.read_text()[-6000:] if journal.exists() else said
