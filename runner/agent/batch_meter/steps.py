"""A batch's life, one step at a time, by the table of `runner.ports.batches`.

    held ──▶ marked as submitting, then handed in     submitting ──▶ looked for (`search`), never sent twice
    running ──▶ asked how far it is, or to stop        ended ──▶ each line settled by its result

Rules: `opening` has held money for every line before a byte leaves; "submitting" is durable before the
hand-over, so whoever finds it after a crash knows that the provider may have it, and never sends what may be there.
A line is settled once, with its answer, in one transaction, whatever comes twice. What has no result at the end is
unknown, unless it certainly never ran.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace

from runner.agent.batch_meter.opening import BatchProviders
from runner.agent.batch_meter.requests import Terms, stored_request, terms_from_json
from runner.agent.batch_meter.search import Nowhere, Open, Ours, find
from runner.agent.batch_meter.settling import BatchSettler
from runner.bots import ModelChoice, Secret
from runner.clock import MS_PER_DAY, Clock
from runner.errors import OperatorError
from runner.ports.batch_server import BatchItem, BatchServer, NotTaken, RemoteBatch, RemoteState
from runner.ports.batches import Batch, BatchState, BatchStore, Ending, OpenHold, attempt_id, number_of
from runner.ports.outcomes import FateUnknown, FaultKind, NotRun, Outcome
from runner.ports.roster import Roster

SUBMIT_S = 300.0
LOOK_S = 30.0
RESULTS_S = 600.0
SURE_S = 300.0
"""How long a batch is looked for before it is certain that its submission never arrived."""
CLOCKS_APART_MS = 600_000
"""How far our calendar and the provider's may be apart."""
GIVE_UP_MS = 30 * MS_PER_DAY
"""A batch that its provider knows nothing of any more is of unknown fate after this."""
AT_ONCE = 100
"""Lines that are read, prepared or settled before others get their turn."""
MOST_OTHERS = 1000


@dataclass(frozen=True, slots=True)
class Stepped:
    """A step was made. `wait_s`: before the next one; None: a while, longer each time; 0: at once."""

    batch: Batch
    wait_s: float | None = None


@dataclass(frozen=True, slots=True)
class _Known:
    """A batch with what it is reckoned by."""

    batch: Batch
    terms: Terms
    server: BatchServer
    key: Secret | None


class BatchMeter:
    """Takes batches step by step."""

    def __init__(
        self,
        providers: BatchProviders,
        store: BatchStore,
        roster: Roster,
        settler: BatchSettler,
        clock: Clock,
    ) -> None:
        self._providers = providers
        self._store = store
        self._roster = roster
        self._settler = settler
        self._clock = clock
        self._looking: dict[str, float] = {}
        self._others: dict[str, None] = {}

    async def step(self, batch: Batch) -> Stepped:
        """Make the next step of an open batch. Raises StoreError; a lost key and the like are told in `why`."""
        terms = terms_from_json(batch.terms)
        if batch.state is BatchState.HELD and batch.cancel:
            return await self._no_more(batch, Ending.NOTHING_RAN)
        if batch.state is BatchState.ENDED and batch.ending is not Ending.RESULTS:
            return await self._finish(batch, terms, await self._left(batch))
        try:
            known = self._known(batch, terms)
        except OperatorError as error:
            return await self._later(batch, str(error))
        doing = {
            BatchState.HELD: self._hand_in,
            BatchState.SUBMITTING: self._search,
            BatchState.RUNNING: self._look,
            BatchState.ENDED: self._take_results,
        }
        return await doing[batch.state](known)

    def _known(self, batch: Batch, terms: Terms) -> _Known:
        """Raises OperatorError: its provider cannot be asked as things are."""
        bot = self._roster.bot(batch.bot)
        key = None if bot is None else bot.key_for(batch.provider)
        if key is None and terms.own_key:
            raise OperatorError(f"bot {batch.bot} has no key of its own for {batch.provider} any more")
        server = self._providers.batches(batch.provider, key)
        if server is None:
            raise OperatorError(f"{batch.provider} runs no batches any more")
        self._providers.get(batch.provider, key)
        return _Known(batch, terms, server, key)

    async def _later(self, batch: Batch, why: str, wait_s: float | None = None) -> Stepped:
        """Nothing came of it this time."""
        if why != batch.why:
            batch = await self._store.save(replace(batch, why=why))
        return Stepped(batch, wait_s)

    async def _moved(self, batch: Batch, state: BatchState, why: str = "") -> Batch:
        return await self._store.save(replace(batch, state=state, why=why))

    async def _no_more(self, batch: Batch, ending: Ending, why: str = "") -> Stepped:
        """Nothing more will run."""
        self._looking.pop(batch.id, None)
        saved = await self._moved(replace(batch, ending=ending), BatchState.ENDED, why)
        return Stepped(saved, 0)

    async def _hand_in(self, known: _Known) -> Stepped:
        """Give it to the provider, once it is written down that this is about to happen."""
        batch = known.batch
        items = await self._items(known)
        submitting = replace(batch, submitted_ms=self._clock.now_ms())
        batch = await self._moved(submitting, BatchState.SUBMITTING)
        told = await known.server.submit(items, batch.id, SUBMIT_S)
        if isinstance(told, RemoteBatch):
            return await self._taken(batch, told)
        if not told.certain:
            return await self._later(batch, f"it is not known whether it arrived: {told.why}")
        if told.again_s is None:
            return await self._no_more(batch, Ending.NOTHING_RAN, told.why)
        return Stepped(await self._moved(batch, BatchState.HELD, told.why), told.again_s)

    async def _items(self, known: _Known) -> list[BatchItem]:
        batch, choice = known.batch, ModelChoice(known.batch.provider, known.batch.model)
        provider = self._providers.get(batch.provider, known.key)
        items: list[BatchItem] = []
        while page := await self._store.lines(batch.id, len(items), AT_ONCE):
            for line in page:
                prepared = provider.prepare(stored_request(line, choice, known.terms))
                items.append(BatchItem(attempt_id(batch.id, line.number), prepared, line.max_output_tokens))
        return items

    async def _taken(self, batch: Batch, remote: RemoteBatch) -> Stepped:
        self._looking.pop(batch.id, None)
        running = replace(batch, remote=remote.id, reached=remote.done + remote.failed)
        return Stepped(await self._moved(running, BatchState.RUNNING), None)

    async def _found(self, batch: Batch, remote: RemoteBatch) -> Stepped:
        return replace(await self._taken(batch, remote), wait_s=0)

    async def _search(self, known: _Known) -> Stepped:
        """Find out whether the provider has it, after an answer that never came."""
        batch = known.batch
        since = self._looking.setdefault(batch.id, self._clock.monotonic())
        recent = await known.server.recent(batch.submitted_ms - CLOCKS_APART_MS, LOOK_S)
        if isinstance(recent, NotTaken):
            return await self._unanswered(batch, recent, "it is not known whether it arrived")
        others = self._others.keys() | await self._store.remotes()
        found = find(recent, batch.id, batch.lines, others)
        match found:
            case Ours(remote):
                return await self._found(batch, remote)
            case Open():
                return await self._told_apart(known, found)
            case Nowhere():
                if self._clock.monotonic() - since < SURE_S:
                    return await self._later(batch, "the provider does not know it so far")
        del self._looking[batch.id]
        if batch.cancel:
            return await self._no_more(batch, Ending.NOTHING_RAN)
        return Stepped(await self._moved(batch, BatchState.HELD, "it never arrived"), 0)

    async def _told_apart(self, known: _Known, found: Open) -> Stepped:
        """Of batches that may be ours, look at the first line's name of one that has ended."""
        batch = known.batch
        for remote in found.ended:
            name = await self._first_name(known.server, remote)
            if name is not None and number_of(batch.id, name) is not None:
                return await self._found(batch, remote)
            if name is not None:
                self._others[remote.id] = None
                if len(self._others) > MOST_OTHERS:
                    del self._others[next(iter(self._others))]
        why = "the provider has a batch of this size that may be it: known once that one has ended"
        return await self._later(batch, why)

    async def _first_name(self, server: BatchServer, remote: RemoteBatch) -> str | None:
        """The first line's name, empty where it has none; None: it could not be had."""
        async with aclosing(_results(server, remote.id)) as results:
            async for result in results:
                return None if isinstance(result, NotTaken) else result[0]
        return ""

    async def _look(self, known: _Known) -> Stepped:
        """Ask how far it is, and to stop where that is wanted."""
        batch, server = known.batch, known.server
        told = await server.look(batch.remote, LOOK_S)
        if isinstance(told, RemoteBatch) and told.state is RemoteState.RUNNING and batch.cancel:
            told = await server.cancel(batch.remote, LOOK_S)
            if isinstance(told, NotTaken):
                return await self._later(batch, f"it could not be told to stop: {told.why}", told.again_s)
        if isinstance(told, NotTaken):
            return await self._unanswered(batch, told, "it could not be asked for")
        seen = replace(batch, reached=told.done + told.failed, why="")
        if told.state is RemoteState.ENDED:
            return await self._no_more(seen, Ending.RESULTS)
        if told.state is RemoteState.FAILED:
            return await self._no_more(seen, Ending.NOTHING_RAN, told.why)
        return Stepped(seen if seen == batch else await self._store.save(seen))

    async def _unanswered(self, batch: Batch, told: NotTaken, why: str) -> Stepped:
        """Ask again; what nobody will ever say is unknown, once somebody wants an end or it is very old."""
        very_old = self._clock.now_ms() - batch.submitted_ms > GIVE_UP_MS
        wants_end = batch.cancel and batch.ending is Ending.OPEN
        if told.again_s is None and (very_old or wants_end):
            return await self._no_more(batch, Ending.NOBODY_KNOWS, f"{why}: {told.why}")
        return await self._later(batch, f"{why}: {told.why}", told.again_s)

    # ── the end ──────────────────────────────────────────────────────────────────────────────────────────
    async def _left(self, batch: Batch) -> dict[int, OpenHold]:
        """The lines that have not ended, by number."""
        return {hold.number: hold for hold in await self._store.open_holds(batch.id)}

    async def _take_results(self, known: _Known) -> Stepped:
        """Settle what the provider tells, line by line; once all is told, the batch is over."""
        batch, left = known.batch, await self._left(known.batch)
        some: list[tuple[OpenHold, Outcome]] = []
        trouble = None
        async with aclosing(_results(known.server, batch.remote)) as results:
            async for result in results:
                if isinstance(result, NotTaken):
                    trouble = result
                    break
                name, outcome = result
                hold = left.pop(number_of(batch.id, name) or 0, None)
                if hold is not None:  # else it came before, in this answer or in an earlier one
                    some.append((hold, outcome))
                if len(some) == AT_ONCE:
                    await self._settler.end(batch, known.terms, some)
                    some = []
        await self._settler.end(batch, known.terms, some)
        if trouble is not None:
            return await self._unanswered(batch, trouble, "its results could not be had")
        return await self._finish(batch, known.terms, left)

    async def _finish(self, batch: Batch, terms: Terms, left: Mapping[int, OpenHold]) -> Stepped:
        """End the lines that are left; then it is over."""
        why = batch.why or ("it was canceled" if batch.cancel else "")
        rest: Outcome = FateUnknown(FaultKind.CUT, why or "the results tell nothing of this line")
        if batch.ending is Ending.NOTHING_RAN:
            rest = NotRun(FaultKind.REJECTED, why or "the batch did not run")
        numbers = list(left)
        for start in range(0, len(numbers), AT_ONCE):
            some = [(left[number], rest) for number in numbers[start : start + AT_ONCE]]
            await self._settler.end(batch, terms, some)
        await self._settler.warn(batch, terms)
        over = replace(batch, ended_ms=self._clock.now_ms())
        return Stepped(await self._moved(over, _end_state(batch), batch.why))


async def _results(server: BatchServer, remote: str) -> AsyncGenerator[tuple[str, Outcome] | NotTaken]:
    """A batch's results, as something that can be closed before it has told all."""
    told = server.results(remote, RESULTS_S)
    try:
        async for result in told:
            yield result
    finally:
        if isinstance(told, AsyncGenerator):
            await told.aclose()


def _end_state(batch: Batch) -> BatchState:
    if batch.ending is Ending.NOBODY_KNOWS:
        return BatchState.FAILED
    if batch.cancel:
        return BatchState.CANCELED
    return BatchState.DONE if batch.ending is Ending.RESULTS else BatchState.FAILED
