"""What `workspaces:` means: servers that can be reached, under names that fit into the names of tools.

Rules: a tool of a server is called `server__tool` by models, at most 64 letters, digits, _ and -; so a server's name is
short, holds no __, and no other tool of its bots begins with it and __.
"""

from __future__ import annotations

import re
import shlex

from runner.config.drafts import Draft
from runner.config.findings import Findings
from runner.config.models import FileSection, ToolServerSection
from runner.config.problems import Path, did_you_mean

_SERVER_NAME = re.compile(r"(?!.*__)[A-Za-z0-9][A-Za-z0-9_-]{0,30}(?<!_)")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_URL = re.compile(r"https?://[^\s/]+[^\s]*")


def check_servers(file: FileSection, findings: Findings) -> None:
    """Whether each server of each workspace can be reached as it is written."""
    for workspace, section in file.workspaces.items():
        for name, server in section.servers.items():
            place = ("workspaces", workspace, "servers", name)
            if not _SERVER_NAME.fullmatch(name):
                message = "a server's name is 1 to 31 letters, digits, _ and -, without __ and without _ at its ends"
                findings.problem(place, message)
            _reached(server, place, findings)
            for variable in server.env:
                if not _VARIABLE.fullmatch(variable):
                    findings.problem((*place, "env", variable), "must be the name of an environment variable")


def _reached(server: ToolServerSection, place: Path, findings: Findings) -> None:
    """By one way, and with what belongs to that way."""
    if (server.command is None) == (server.url is None):
        findings.problem(
            place, "needs command or url" if server.url is None else "has command and url: one of them"
        )
        return
    if server.url is not None and not _URL.fullmatch(server.url.get_secret_value()):
        findings.problem((*place, "url"), "must be a URL that starts with http:// or https://")
    if server.command is not None and not _is_command(server.command):
        findings.problem((*place, "command"), "must be a program and its arguments, quotes closed")
    for field, given, way in (("env", server.env, "command"), ("headers", server.headers, "url")):
        if given and getattr(server, way) is None:
            findings.problem((*place, field), f"goes with {way} only")


def _is_command(command: str | list[str]) -> bool:
    try:
        words = shlex.split(command) if isinstance(command, str) else command
    except ValueError:
        return False
    return bool(words and words[0]) and not any("\0" in word for word in words)


def check_workspace(draft: Draft, file: FileSection, findings: Findings) -> None:
    """Whether the bot's workspace is there, and leaves the names of the bot's own tools alone."""
    name = draft.section.workspace_id
    if name is None:
        return
    if name not in file.workspaces:
        guess = did_you_mean(name, file.workspaces)
        findings.problem(
            draft.place("workspace_id"),
            f"there is no workspace {findings.shown(name)!r} under workspaces:{guess}",
            at=findings.where(draft.place("workspace_id"), ("defaults", "workspace_id")),
        )
        return
    for index, tool in enumerate(draft.section.tools):
        server, dashes, _ = tool.name.partition("__")
        if dashes and server in file.workspaces[name].servers:
            place = findings.where((*draft.place("tools"), index), ("defaults", "tools", index))
            message = f"names that begin with {findings.shown(server)}__ belong to that tool server"
            findings.problem((*place, "name"), message)
