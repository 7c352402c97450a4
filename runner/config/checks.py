"""What the fields of bots.yaml mean together: everything that would keep `run` from running, found before it.

Rules: one function a question, each over all bots; a disabled bot is asked only what it would be wrong about
even when it rests; where a field is in doubt already, nothing more is said about what depends on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address

from runner.config.drafts import Draft
from runner.config.findings import Findings
from runner.config.model_checks import check_models, check_pairs
from runner.config.models import FileSection
from runner.config.money_checks import check_billing, check_money
from runner.config.problems import dotted
from runner.config.routing_checks import check_routing
from runner.config.schedule_checks import check_schedule
from runner.config.settings import ProviderSettings
from runner.config.store_address import check_address
from runner.config.team_checks import check_teams
from runner.config.workflow_checks import check_workflow, check_workflows
from runner.config.workspace_checks import check_servers, check_workspace
from runner.money.prices import PriceBook

_ABSENT = object()

SHORTEST_SIGNING_SECRET = 32


def check(
    file: FileSection,
    drafts: Sequence[Draft],
    prices: PriceBook,
    providers: Mapping[str, ProviderSettings],
    findings: Findings,
) -> None:
    """Ask all questions."""
    check_address(file.store.url, findings)
    check_money(file, findings)
    check_servers(file, findings)
    for draft in drafts:
        check_billing(draft, file, findings)
        _context(draft, findings)
        _tool_names(draft, findings)
        check_pairs(draft, findings)
        check_routing(draft, findings)
        check_workspace(draft, file, findings)
        check_schedule(draft, prices, findings)
        named = check_workflow(draft, file, prices, findings)
        if draft.section.enabled:
            check_models(draft, file, prices, providers, findings, named)
            _reachable(draft, file.server.host, findings)
            _posted_to(draft, file.server.public_url, findings)
    check_workflows(file, findings)
    check_teams(drafts, file.bots, findings)
    _accounts([draft for draft in drafts if draft.section.enabled], findings)
    signing = file.server.jwt_secret
    if signing is not None and len(signing.get_secret_value()) < SHORTEST_SIGNING_SECRET:
        message = (
            f"shorter than {SHORTEST_SIGNING_SECRET} characters: whoever guesses it can change every bot"
        )
        findings.warn(("server", "jwt_secret"), message)


def _context(draft: Draft, findings: Findings) -> None:
    section = draft.section
    keep, most = section.conversation_keep_messages, section.conversation_max_messages
    if keep is not None and keep > most and draft.sure("conversation_max_messages"):
        at = findings.where(
            draft.place("conversation_keep_messages"),
            draft.place("conversation_max_messages"),
            ("defaults", "conversation_keep_messages"),
        )
        message = f"must not be more than conversation_max_messages ({most})"
        findings.problem(draft.place("conversation_keep_messages"), message, at=at)


def _tool_names(draft: Draft, findings: Findings) -> None:
    seen: dict[str, int] = {}
    for index, tool in enumerate(draft.section.tools):
        place = findings.where((*draft.place("tools"), index), ("defaults", "tools", index))
        if tool.name in seen:
            findings.problem(
                (*place, "name"), f"two tools of bot {draft.id} are called {findings.shown(tool.name)}"
            )
        seen.setdefault(tool.name, index)
        if tool.parameters and tool.parameters.get("type") != "object":
            findings.problem((*place, "parameters"), "must be a JSON schema of type: object")


def _reachable(draft: Draft, host: str, findings: Findings) -> None:
    """A bot that anybody may call without a secret is served on this machine only."""
    if is_loopback(host):
        return
    for channel, place in zip(draft.channels, draft.places, strict=True):
        if getattr(channel.config, "secret", _ABSENT) is None:
            shown = findings.shown(host)
            message = f"bot {draft.id} needs a secret, for server.host {shown} lets other machines in"
            findings.problem((*place, "secret"), message)


def _posted_to(draft: Draft, public_url: str | None, findings: Findings) -> None:
    """A platform that posts has to know where to, one address for each connection."""
    taken: set[str] = set()
    for channel, place in zip(draft.channels, draft.places, strict=True):
        if not getattr(channel.config, "needs_public_url", False):
            continue
        at = (*place, "mode")
        if public_url is None:
            message = f"bot {draft.id} needs server.public_url: {channel.platform} posts its messages there"
            findings.problem(at, message)
        elif channel.platform in taken:
            message = (
                f"a bot can have one {channel.platform} webhook: both would be posted to the same address"
            )
            findings.problem(at, message)
        elif not public_url.startswith("https://"):
            findings.warn(
                at, f"{channel.platform} posts to https addresses only, which server.public_url is not"
            )
        taken.add(channel.platform)


def is_loopback(host: str) -> bool:
    """Whether a server on that host is reached from this machine only."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _accounts(drafts: Iterable[Draft], findings: Findings) -> None:
    """Two connections on one account of a platform would take each other's messages."""
    owners: dict[tuple[str, str], str] = {}
    for draft in drafts:
        for channel, place in zip(draft.channels, draft.places, strict=True):
            account = getattr(channel.config, "account", None)
            if account is None:
                continue
            first = owners.setdefault((channel.platform, account), dotted(place))
            if first != dotted(place):
                message = f"the same {channel.platform} token as in {first}: each connection needs its own"
                findings.problem(place, message)
