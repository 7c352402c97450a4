"""What a workflow means for the bot that runs it: a graph without faults, of models, tools and bots that there are.

Rules: all faults of a workflow are found at once, each at its line where the file is YAML there, else at the field's.
A sub-workflow never waits, and never comes to itself. Nothing of workflows is loaded where no bot has one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runner.bots import ModelChoice
from runner.config.drafts import Draft
from runner.config.findings import Findings
from runner.config.models import FileSection
from runner.config.problems import Path, did_you_mean
from runner.config.workflow_section import parts_of, written_of
from runner.money.prices import PriceBook

if TYPE_CHECKING:  # loaded by files with workflows only
    from runner.workflows.graph import Graph
    from runner.workflows.nodes.kinds import Node

NEVER_WAITS = "cannot be in a sub-workflow, which never waits: put it into the bot's own workflow"


@dataclass(frozen=True, slots=True)
class NamedModel:
    """A model that a node names. `path`: of the name, or of the whole workflow, in the bot."""

    path: Path
    choice: ModelChoice


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a workflow stands. `whole`: the path of the field that all of it is in, and that of the defaults."""

    path: Path
    otherwise: Path

    def report(self, path: Path, message: str, findings: Findings) -> None:
        """A fault at that path of the workflow."""
        findings.problem((*self.path, *path), findings.sealed.hide(message), at=self.line(path, findings))

    def line(self, path: Path, findings: Findings) -> Path:
        """The nearest place that the file has a line for."""
        tops = (self.path, self.otherwise)
        inner = [(*top, *path[:length]) for length in range(len(path), 0, -1) for top in tops]
        return findings.where(*inner, *tops)


def check_workflow(
    draft: Draft, file: FileSection, prices: PriceBook, findings: Findings
) -> tuple[NamedModel, ...]:
    """All questions about one bot's workflow; the models that its nodes name."""
    section = draft.section
    if not draft.sure("workflow_enabled", "workflow", "workflow_json"):
        return ()
    given = [field for field in ("workflow", "workflow_json") if getattr(section, field) is not None]
    if not section.workflow_enabled:
        for field in given:
            at = draft.line(field, findings)
            findings.warn(draft.place(field), "is not used without workflow_enabled: true", at=at)
        return ()
    if len(given) != 1:
        message = (
            "needs workflow or workflow_json" if not given else "takes workflow or workflow_json, not both"
        )
        at = draft.line("workflow_enabled", findings)
        findings.problem(draft.place("workflow_enabled"), message, at=at)
        return ()
    written = written_of(draft)
    if written is None:
        return ()
    _unused(draft, findings)
    place = _Place(draft.place(written.field), ("defaults", written.field))
    asking = _Asking(draft, written.field, file, prices, findings)
    asking.check(place, written.source, is_part=False)
    for name, part in parts_of(written.source, file.workflows).items():
        path = ("workflows", name)
        asking.check(_Place(path, path), part, is_part=True)
    return tuple(asking.named)


def _unused(draft: Draft, findings: Findings) -> None:
    """What the bot says of the agent loop that its workflow makes nothing of."""
    if draft.section.response_cache:
        at = draft.line("response_cache", findings)
        findings.warn(draft.place("response_cache"), "is not used: the bot's workflow answers", at=at)
    if draft.routing is not None and draft.sure("routing"):
        message = "only its default tier is asked: the bot's workflow answers, and its nodes may name models"
        findings.warn(draft.place("routing"), message, at=draft.line("routing", findings))


def check_workflows(file: FileSection, findings: Findings) -> None:
    """Whether any sub-workflow comes to itself."""
    for name, part in file.workflows.items():
        if name in parts_of(part, file.workflows):
            findings.problem(("workflows", name), "comes to itself: a workflow cannot be a part of its parts")


class _Asking:
    """Asks about one bot's workflow and its parts."""

    def __init__(
        self, draft: Draft, field: str, file: FileSection, prices: PriceBook, findings: Findings
    ) -> None:
        self._draft = draft
        self._field = field
        self._file = file
        self._bots = file.bots
        self._prices = prices
        self._findings = findings
        self.named: list[NamedModel] = []

    def check(self, place: _Place, source: Mapping[str, Any] | str, *, is_part: bool) -> None:
        """One graph."""
        from runner.workflows.graph import Graph, read_graph  # noqa: PLC0415 - see the module's text
        from runner.workflows.offers import Offer, check_offer  # noqa: PLC0415 - with the first workflow

        graph = read_graph(source)
        if not isinstance(graph, Graph):
            for fault in graph:
                place.report(fault.path, fault.message, self._findings)
            return
        for fault in check_offer(graph, Offer(self._file.knowledge, self._sees)):
            place.report(fault.path, fault.message, self._findings)
        for path, message in self._faults(graph, is_part=is_part):
            place.report(path, message, self._findings)
        for number, placed in enumerate(graph.nodes.values()):
            model = getattr(placed.node, "model", None)
            if model is not None:
                inside = () if is_part else ("nodes", number, "data", "model")
                self.named.append(NamedModel((self._field, *inside), self._choice(model)))

    def _faults(self, graph: Graph, *, is_part: bool) -> Iterator[tuple[Path, str]]:
        """What the nodes ask for and is not there."""
        for number, placed in enumerate(graph.nodes.values()):
            data: Path = ("nodes", number, "data")
            if is_part and _waits(placed.node):
                yield ("nodes", number), f"{placed.type} {NEVER_WAITS}"
            for path, message in self._of_node(placed.type, placed.node):
                if message:
                    yield (*data, *path), message

    def _of_node(self, kind: str, node: Node) -> Iterator[tuple[Path, str]]:
        """Paths are those inside of `data`; a text is empty where nothing is wrong."""
        from runner.workflows.doers.structuring import schema_fault  # noqa: PLC0415 - with the first workflow
        from runner.workflows.nodes import talking, thinking, working  # noqa: PLC0415 - with the first workflow

        match node:
            case working.ToolUse(tool=tool):
                yield ("tool",), self._tool(tool, http=kind == "function_call")
            case thinking.AgentLoop(tools=tools):
                for index, tool in enumerate(tools):
                    yield ("tools", index), self._tool(tool, http=False)
            case thinking.StructuredOutput(schema=schema):
                yield ("schema",), schema_fault(schema) or ""
            case talking.DelegateToBot(target=target):
                yield ("target_bot_id",), self._target(target)
            case working.SubWorkflow(name=name) if name not in self._file.workflows:
                guess = did_you_mean(name, self._file.workflows)
                yield ("name",), f"there is no {self._findings.shown(name)!r} under workflows:{guess}"
            case _:
                pass

    def _target(self, bot: str) -> str:
        """What is wrong with a bot that work is handed over to; empty where nothing is."""
        if bot == self._draft.id:
            return "a bot cannot hand work over to itself"
        if bot in self._bots:
            return ""
        return f"there is no bot {self._findings.shown(bot)!r}{did_you_mean(bot, self._bots)}"

    def _tool(self, name: str, *, http: bool) -> str:
        """What is wrong with a tool's name; empty where nothing is, or only the server can tell."""
        section, findings = self._draft.section, self._findings
        own = [tool.name for tool in section.tools]
        team = [] if http else [f"delegate_to_{member}" for member in _members(section.team)]
        if name in own or name in team:
            return ""
        workspace = self._file.workspaces.get(section.workspace_id or "")
        servers = {} if workspace is None or http else workspace.servers
        server, dashes, tool = name.partition("__")
        if dashes and server in servers:
            allowed = servers[server].tools
            if allowed is None or tool in allowed:
                return ""
            return f"the tool {findings.shown(tool)!r} is not among the tools of {findings.shown(server)}"
        known = [*own, *team, *(f"{server}__" for server in servers)]
        what = "no HTTP tool" if http else "no tool"
        return f"bot {self._draft.id} has {what} {findings.shown(name)!r}{did_you_mean(name, known)}"

    def _choice(self, model: str) -> ModelChoice:
        from runner.workflows.doers.models import choice_of  # noqa: PLC0415 - with the first workflow

        return choice_of(self._draft.main, model, self._prices)

    def _sees(self, model: str | None) -> bool:
        choice = self._draft.main if model is None else self._choice(model)
        price = self._prices.find(choice.provider, choice.model)
        return price is not None and price.limits.image_tokens is not None


def _waits(node: Node) -> bool:
    from runner.workflows.nodes.talking import AuthGate, HumanHandoff, WaitDelay  # noqa: PLC0415 - with the first workflow

    return isinstance(node, AuthGate | HumanHandoff | WaitDelay)


def _members(team: object) -> list[str]:
    return [str(member) for member in team] if isinstance(team, dict | list) else []
