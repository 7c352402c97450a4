"""The files that put a fleet somewhere: they can be read, and all that they name is there. No engine runs them here."""

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from runner.config.loader import parse, sources_of
from runner.config.problems import Problems
from runner.config.secret_keys import CREDENTIAL
from runner.config.secret_store import SecretStore
from tests.guards.tree import ROOT

read = YAML(typ="safe").load
DEPLOY = ROOT / "deploy"
IMAGE = (DEPLOY / "Dockerfile").read_text()
COMPOSE = read((DEPLOY / "compose.yaml").read_text())
MANIFESTS = {path.stem: read(path.read_text()) for path in sorted((DEPLOY / "kubernetes").glob("*.yaml"))}
BOTS = {
    "compose": (DEPLOY / "bots.yaml").read_text(),
    "kubernetes": MANIFESTS["config"]["data"]["bots.yaml"],
}
POD = MANIFESTS["deployment"]["spec"]["template"]
CONTAINER = POD["spec"]["containers"][0]
READ_HERE = re.compile(r"\b(BOTRUNNER_[A-Z_]+|CREDENTIALS_DIRECTORY)\b")
OTHERS = {"PATH", "MALLOC_ARENA_MAX", "PYTHONFAULTHANDLER"}
SENDS_S = 5
"""What a stopping daemon gives to sends under way, after its turns."""


def credentials(text: str) -> set[str]:
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return set(re.findall(r"\$\{credential:([\w-]+)\}", "\n".join(lines)))


def known_variables() -> set[str]:
    """What our code reads from its environment."""
    return {name for path in (ROOT / "runner").rglob("*.py") for name in READ_HERE.findall(path.read_text())}


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for one in value.values():
            yield from strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from strings(one)
    elif isinstance(value, str):
        yield value


@pytest.mark.parametrize("where", BOTS)
def test_its_bots_can_be_loaded_with_the_credentials_that_it_is_given(where: str, tmp_path: Path) -> None:
    for name in credentials(BOTS[where]):
        (tmp_path / name).write_text("postgresql://u:p@h/d" if name == "database-url" else "s" * 40)
    file = tmp_path / "bots.yaml"
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path), "BOTRUNNER_STATE": str(tmp_path)}
    loaded = parse(BOTS[where], str(file), sources_of(file, environ))
    assert not isinstance(loaded, Problems), loaded
    assert loaded.warnings == ()
    settings = loaded.settings
    assert settings.server.host == "0.0.0.0"
    assert settings.server.port == 8080
    assert settings.store_url == "postgresql://u:p@h/d"
    assert settings.bot("hello") is not None


def test_a_daemon_is_given_each_credential_that_its_bots_name_and_the_fleets_key() -> None:
    daemon = COMPOSE["services"]["daemon-1"]
    wanted = credentials(BOTS["compose"]) | {CREDENTIAL}
    assert set(daemon["secrets"]) == wanted
    assert daemon["environment"]["CREDENTIALS_DIRECTORY"] == "/run/secrets"
    assert wanted <= set(COMPOSE["secrets"])
    assert set(MANIFESTS["secret"]["stringData"]) == credentials(BOTS["kubernetes"]) | {CREDENTIAL}


def test_the_secrets_of_compose_are_those_that_the_script_makes(tmp_path: Path) -> None:
    script = tmp_path / "make-secrets.sh"
    script.write_bytes((DEPLOY / "make-secrets.sh").read_bytes())
    for _ in range(2):
        subprocess.run(["bash", script], check=True)
        made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
        assert {f"./secrets/{name}" for name in made} == {one["file"] for one in COMPOSE["secrets"].values()}
    assert made["database-password"] in made["database-url"]
    assert "secrets/" in (DEPLOY / ".gitignore").read_text().split()
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path / "secrets")}
    kept = SecretStore(tmp_path, environ)
    kept.set("token", "42:AAF")
    assert kept.lookup("token") == "42:AAF"


def test_both_daemons_of_compose_are_the_same_and_the_proxy_knows_them() -> None:
    services = COMPOSE["services"]
    daemons = sorted(name for name in services if name.startswith("daemon"))
    assert services["daemon-1"] == services["daemon-2"]
    proxy = (DEPLOY / "proxy.conf").read_text()
    assert re.findall(r"server ([\w-]+):(\d+)", proxy) == [(name, "8080") for name in daemons]
    assert services["proxy"]["depends_on"] == daemons
    for service in services.values():
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert source in COMPOSE["volumes"] or (DEPLOY / source).exists(), volume


def test_compose_gives_postgresql_what_the_address_says() -> None:
    given = COMPOSE["services"]["postgres"]["environment"]
    script = (DEPLOY / "make-secrets.sh").read_text()
    assert f"postgresql://{given['POSTGRES_USER']}:" in script
    assert f"@postgres:5432/{given['POSTGRES_DB']}" in script
    assert given["POSTGRES_PASSWORD_FILE"] == "/run/secrets/database-password"


def test_the_image_is_made_of_what_is_here_and_of_locked_packages() -> None:
    copied = [
        words for line in re.findall(r"^COPY (?!--from)(.+)$", IMAGE, re.MULTILINE) if (words := line.split())
    ]
    sources = {source for *found, _ in copied for source in found}
    assert all((ROOT / source).exists() for source in sources)
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().split()
    assert {f"!{source}" for source in sources} == {word for word in ignored if word.startswith("!")}
    assert "--require-hashes --no-deps --requirement requirements.lock" in IMAGE
    assert set(re.findall(r"^FROM (\S+)", IMAGE, re.MULTILINE)) == {"python:3.11-slim"}
    assert 'botrunner = "runner.cli.main:main"' in (ROOT / "pyproject.toml").read_text()


def test_nobody_is_root_and_all_say_the_same_user() -> None:
    (user,) = re.findall(r"^USER (\d+):\1$", IMAGE, re.MULTILINE)
    assert f"--uid {user} " in IMAGE
    assert POD["spec"]["securityContext"]["runAsUser"] == int(user)
    assert POD["spec"]["securityContext"]["runAsNonRoot"] is True
    assert f"uid={user},gid={user}" in COMPOSE["services"]["daemon-1"]["tmpfs"][0]


def test_the_variables_are_those_that_our_code_reads() -> None:
    named = set(re.findall(r"\b([A-Z_]+)=", IMAGE)) - OTHERS
    named |= set(COMPOSE["services"]["daemon-1"]["environment"])
    named |= {one["name"] for one in CONTAINER["env"]}
    assert named <= known_variables()
    assert {"BOTRUNNER_STATE", "BOTRUNNER_CONFIG", "CREDENTIALS_DIRECTORY"} <= named


def test_the_pods_folders_are_where_the_variables_point() -> None:
    env = {one["name"]: one["value"] for one in CONTAINER["env"]}
    mounts = {one["name"]: one["mountPath"] for one in CONTAINER["volumeMounts"]}
    assert mounts["credentials"] == env["CREDENTIALS_DIRECTORY"]
    assert mounts["state"] == env["BOTRUNNER_STATE"]
    assert f"{mounts['config']}/{next(iter(MANIFESTS['config']['data']))}" == env["BOTRUNNER_CONFIG"]
    assert set(mounts) == {volume["name"] for volume in POD["spec"]["volumes"]}
    volumes = {volume["name"]: volume for volume in POD["spec"]["volumes"]}
    assert volumes["config"]["configMap"]["name"] == MANIFESTS["config"]["metadata"]["name"]
    assert volumes["credentials"]["secret"]["secretName"] == MANIFESTS["secret"]["metadata"]["name"]


def test_probes_and_ports_are_the_servers_own() -> None:
    web = "".join(path.read_text() for path in (ROOT / "runner/web").rglob("*.py"))
    probes = [CONTAINER[name] for name in ("startupProbe", "livenessProbe", "readinessProbe")]
    paths = set(re.findall(r"/health/\w+", " ".join(text for probe in probes for text in strings(probe))))
    assert paths == {"/health/live", "/health/ready"}
    assert all(f'"{path}"' in web for path in paths)
    assert {port["name"]: port["containerPort"] for port in CONTAINER["ports"]} == {"http": 8080}
    assert all(probe["httpGet"]["port"] == "http" for probe in probes if "httpGet" in probe)
    assert MANIFESTS["service"]["spec"]["ports"][0]["targetPort"] == "http"
    assert "EXPOSE 8080" in IMAGE
    for text in (
        *COMPOSE["services"]["daemon-1"]["healthcheck"]["test"],
        *strings(CONTAINER["readinessProbe"]),
    ):
        if "urlopen" in text:
            compile(text, "probe", "exec")
            assert "http://127.0.0.1:8080/health/ready" in text


def test_who_stops_is_given_the_time_for_its_turns() -> None:
    grace = POD["spec"]["terminationGracePeriodSeconds"]
    stop = read(BOTS["kubernetes"])["server"]["stop_timeout_s"]
    before = int(CONTAINER["lifecycle"]["preStop"]["exec"]["command"][1])
    assert grace > before + stop + SENDS_S
    stop = read(BOTS["compose"])["server"]["stop_timeout_s"]
    assert int(COMPOSE["services"]["daemon-1"]["stop_grace_period"].removesuffix("s")) > stop + SENDS_S


def test_the_manifests_belong_together() -> None:
    labels = POD["metadata"]["labels"]
    assert MANIFESTS["deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert MANIFESTS["service"]["spec"]["selector"] == labels
    assert MANIFESTS["disruption"]["spec"]["selector"]["matchLabels"] == labels
    listed = {Path(one).stem for one in MANIFESTS["kustomization"]["resources"]}
    assert listed == set(MANIFESTS) - {"kustomization"}
    assert MANIFESTS["deployment"]["spec"]["replicas"] >= 2


def test_no_image_is_whatever_is_newest_and_no_secret_is_a_real_one() -> None:
    images = [service["image"] for service in COMPOSE["services"].values() if "build" not in service]
    assert all(re.search(r":\d", image) for image in (*images, CONTAINER["image"]))
    assert all("REPLACE-ME" in value for value in MANIFESTS["secret"]["stringData"].values())
