"""Services: what is written, removed and kept; a systemctl of the test's own notes what it is asked."""

import stat
import sys
from pathlib import Path

import pytest

from runner.cli.service import shipped_units
from runner.cli.service_plan import (
    Command,
    Folder,
    Gone,
    Step,
    do,
    install_steps,
    refuse_hidden,
    rendered,
    run_command,
    system_place,
    uninstall_steps,
    user_place,
)
from runner.errors import OperatorError
from tests.unit.cli.desk import Desk


class Systemctl:
    """On the PATH in place of the real one."""

    def __init__(self, folder: Path) -> None:
        self._asked = folder / "asked"
        self.program = folder / "systemctl"
        self.answers(0)

    def answers(self, code: int, word: str = "") -> None:
        """With this exit code from now on, where `word` is among what it is asked."""
        fails = f'case " $* " in *" {word} "*) echo "Job failed." >&2; exit {code};; esac' if word else ""
        self.program.write_text(f'#!/bin/sh\necho "$*" >> {self._asked}\n{fails}\nexit 0\n')
        self.program.chmod(0o755)

    def asked(self) -> list[str]:
        lines = self._asked.read_text().splitlines() if self._asked.exists() else []
        self._asked.unlink(missing_ok=True)
        return lines


@pytest.fixture
def systemctl(desk: Desk) -> Systemctl:
    """A person's home in the desk's folder, and a systemctl in it."""
    home = desk.folder / "home"
    (home / "bin").mkdir(parents=True)
    desk.monkeypatch.setenv("HOME", str(home))
    desk.monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    desk.monkeypatch.setenv("PATH", f"{home / 'bin'}:/usr/bin:/bin")
    return Systemctl(home / "bin")


def config_of(desk: Desk) -> Path:
    return desk.folder / "home" / ".config"


def test_a_service_of_ones_own(desk: Desk, systemctl: Systemctl) -> None:
    done = desk.type("install-service", "--user")
    assert done.code == 0, done.err
    unit = (config_of(desk) / "systemd/user/botrunner.service").read_text()
    assert f"ExecStart={sys.prefix}/bin/botrunner run --config %E/botrunner/bots.yaml" in unit
    assert "/opt/botrunner" not in unit
    assert (config_of(desk) / "botrunner/bots.yaml").exists()
    assert (config_of(desk) / "botrunner/credentials").is_dir()
    assert systemctl.asked() == [
        "--user daemon-reload",
        "--user enable botrunner.service",
        "--user restart botrunner.service",
    ]
    assert "loginctl enable-linger" in done.out


def test_again_is_an_upgrade_that_leaves_the_file_alone(desk: Desk, systemctl: Systemctl) -> None:
    assert desk.type("install-service", "--user", "--no-start").code == 0
    assert systemctl.asked() == ["--user daemon-reload", "--user enable botrunner.service"]
    mine, unit = config_of(desk) / "botrunner/bots.yaml", config_of(desk) / "systemd/user/botrunner.service"
    mine.write_text("bots: {}\n")
    unit.write_text("an old unit")
    assert desk.type("install-service", "--user").code == 0
    assert mine.read_text() == "bots: {}\n"
    assert "ExecStart=" in unit.read_text()
    assert stat.S_IMODE(unit.stat().st_mode) == 0o644
    assert systemctl.asked()[-1] == "--user restart botrunner.service"


def test_uninstalling_keeps_the_data(desk: Desk, systemctl: Systemctl) -> None:
    desk.type("install-service", "--user")
    data = desk.folder / "home/.local/state/botrunner"
    data.mkdir(parents=True)
    (data / "botrunner.db").touch()
    systemctl.asked()
    done = desk.type("uninstall-service", "--user")
    assert done.code == 0
    assert systemctl.asked() == [
        "--user disable --now botrunner.service",
        "--user daemon-reload",
        "--user reset-failed botrunner.service",
    ]
    assert not (config_of(desk) / "systemd/user/botrunner.service").exists()
    assert (config_of(desk) / "botrunner/bots.yaml").exists()
    assert (data / "botrunner.db").exists()
    assert str(data) in done.out
    assert desk.type("uninstall-service", "--user").code == 0, "nothing to remove is no fault"
    assert desk.type("uninstall-service", "--user", "--purge").code == 0
    assert not (config_of(desk) / "botrunner").exists()
    assert not data.exists()


def test_a_dry_run_does_nothing(desk: Desk, systemctl: Systemctl) -> None:
    done = desk.type("install-service", "--user", "--dry-run")
    assert done.code == 0
    assert f"file    {config_of(desk)}/systemd/user/botrunner.service" in done.out
    assert "run     systemctl --user restart botrunner.service" in done.out
    assert desk.type("uninstall-service", "--user", "--dry-run").code == 0
    assert systemctl.asked() == []
    assert not config_of(desk).exists()


def test_what_systemd_says_is_told(desk: Desk, systemctl: Systemctl) -> None:
    systemctl.answers(1, "restart")
    done = desk.type("install-service", "--user")
    assert done.code == 1
    assert "`systemctl --user restart botrunner.service` failed: Job failed." in done.err


def test_a_machine_without_systemd(desk: Desk, systemctl: Systemctl) -> None:
    systemctl.program.unlink()
    desk.monkeypatch.setenv("PATH", str(systemctl.program.parent))
    done = desk.type("install-service", "--user")
    assert done.code == 1
    assert "is systemd on this machine?" in done.err


def test_the_machines_service_needs_root(desk: Desk) -> None:
    desk.monkeypatch.setattr("os.geteuid", lambda: 1000)
    for command in ("install-service", "uninstall-service"):
        done = desk.type(command, "--system")
        assert done.code == 1
        assert "the machine's services are root's" in done.err
        assert "sudo" in done.err


def test_whose_service_must_be_said(desk: Desk) -> None:
    assert desk.type("install-service").code == 2


@pytest.mark.usefixtures("systemctl")
def test_a_program_that_is_not_there(desk: Desk) -> None:
    done = desk.type("install-service", "--user", "--program", str(desk.folder / "nothing"))
    assert done.code == 1
    assert "is no program" in done.err


def test_no_home_no_service() -> None:
    with pytest.raises(OperatorError, match="HOME"):
        user_place({})
    assert user_place({"HOME": "/h", "XDG_CONFIG_HOME": "/c"}).units == Path("/c/systemd/user")


@pytest.mark.parametrize("home", ["/root", "/home/ann", "/opt/a b"])
def test_what_a_service_cannot_run_is_refused(home: str) -> None:
    with pytest.raises(OperatorError) as refused:
        rendered("ExecStart=/opt/botrunner/current/bin/botrunner", Path(home, "bin/botrunner"), system=True)
    assert refused.value.hint


def test_the_machines_units_name_the_installation() -> None:
    refuse_hidden(Path("/usr/bin/python3"), "its Python")
    for name in system_place().names:
        text = rendered((shipped_units() / name).read_text(), Path("/srv/bots/bin/botrunner"), system=True)
        assert "ExecStart=/srv/bots/bin/botrunner run" in text
        assert "/opt/" not in text


def test_the_whole_machine(tmp_path: Path) -> None:
    """Installed and removed with its instances, under another root."""
    place = system_place(tmp_path)
    ran: list[str] = []

    def run(words: tuple[str, ...] | list[str]) -> str | None:
        ran.append(" ".join(words))
        return "no unit is loaded" if "try-restart" in words or "reset-failed" in words else None

    def carry_out(steps: list[Step]) -> None:
        do(steps, run)  # type: ignore[arg-type]

    carry_out(install_steps(place, dict.fromkeys(place.names, "[Unit]\n"), "bots: {}\n", start=True))
    assert ran[-2:] == ["systemctl restart botrunner.service", "systemctl try-restart botrunner@*.service"]
    wanted = place.units / "multi-user.target.wants"
    wanted.mkdir()
    (wanted / "botrunner@shop.service").symlink_to("../botrunner@.service")
    (place.units / "botrunner.service.d").mkdir()
    private = tmp_path / "var/lib/private"
    for name in ("botrunner", "botrunner-shop", "other"):
        (private / name).mkdir(parents=True)
        (tmp_path / "var/lib" / name).symlink_to(f"private/{name}")
    carry_out(uninstall_steps(place, purge=False))
    assert sorted(path.name for path in place.units.iterdir()) == [
        "botrunner.service.d",
        "multi-user.target.wants",
    ]
    assert list(wanted.iterdir()) == []
    assert (private / "botrunner-shop").exists()
    carry_out(uninstall_steps(place, purge=True))
    assert [path.name for path in private.iterdir()] == ["other"]
    assert sorted(path.name for path in (tmp_path / "var/lib").iterdir()) == ["other", "private"]
    assert not place.config.exists()
    assert not (place.units / "botrunner.service.d").exists()


def test_what_cannot_be_done_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OperatorError, match="Not a directory"):
        do([Folder(tmp_path / "file" / "folder")], run_command)
    with pytest.raises(OperatorError, match="`false` failed: exit status 1"):
        do([Command(("false",))], run_command)
    do([Command(("false",), may_fail=True), Gone(tmp_path / "file"), Gone(tmp_path / "file")], run_command)
    assert not (tmp_path / "file").exists()
