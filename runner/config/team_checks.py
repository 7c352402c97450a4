"""What `team:` means among all bots: members that there are, each once, whose tools have names of their own.

Rules: a bot is no member of its own team; bots may name one another in a ring, for the turn's hops are counted; a
member that is disabled is told as a warning, since it may be enabled while the daemon runs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from runner.bots import Teammate
from runner.config.drafts import Draft
from runner.config.findings import Findings
from runner.config.problems import Path, did_you_mean
from runner.config.team_section import to_team
from runner.teams.roster import DELEGATE, LONGEST_TOOL_NAME


def check_teams(drafts: Sequence[Draft], bots: Collection[str], findings: Findings) -> None:
    """All teams; `bots`: all ids that the file has, those of faulty bots too."""
    enabled = {draft.id: draft.section.enabled for draft in drafts}
    for draft in drafts:
        if draft.section.team and draft.sure("team"):
            _members(draft, bots, enabled, findings)
            _tool_names(draft, findings)


def _members(draft: Draft, bots: Collection[str], enabled: Mapping[str, bool], findings: Findings) -> None:
    seen: set[str] = set()
    for index, member in enumerate(to_team(draft.section.team)):
        path = _path(draft, index, member)
        if wrong := _wrong(draft, member.bot, bots, seen, findings):
            findings.problem(draft.place(*path), wrong, at=draft.line(path, findings))
        elif not enabled.get(member.bot, True):
            message = f"bot {member.bot} is disabled: work is not handed over to it until it is enabled"
            findings.warn(draft.place(*path), message, at=draft.line(path, findings))
        seen.add(member.bot)


def _wrong(
    draft: Draft, member: str, bots: Collection[str], seen: Collection[str], findings: Findings
) -> str:
    """What is wrong with one member; empty where nothing is."""
    if member == draft.id:
        return "a bot is no member of its own team"
    if member not in bots:
        return f"there is no bot {findings.shown(member)!r}{did_you_mean(member, bots)}"
    if member in seen:
        return f"bot {member} is in this team already"
    if len(DELEGATE) + len(member) > LONGEST_TOOL_NAME:
        return (
            f"a member's id has at most {LONGEST_TOOL_NAME - len(DELEGATE)} characters, for its tool's name"
        )
    return ""


def _path(draft: Draft, index: int, member: Teammate) -> Path:
    """Where a member stands, in either form."""
    return ("team", member.bot) if isinstance(draft.section.team, dict) else ("team", index)


def _tool_names(draft: Draft, findings: Findings) -> None:
    """The bot's own tools leave the names of its team's alone."""
    for index, tool in enumerate(draft.section.tools):
        if tool.name.startswith(DELEGATE):
            place = findings.where((*draft.place("tools"), index), ("defaults", "tools", index))
            findings.problem((*place, "name"), f"names that begin with {DELEGATE} belong to the bot's team")
