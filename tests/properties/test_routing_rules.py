"""Whatever the rules and the message: somebody answers, always the same, and a conversation only rises."""

from hypothesis import given
from hypothesis import strategies as st

from runner.agent.routing import (
    Decision,
    Facts,
    NeedsLabel,
    Standing,
    after,
    decide,
    labelled,
    routes,
    standing_of,
)
from runner.bots import Classifier, Escalation, ModelChoice, RouteRule, Routing, Signal, Tier
from runner.ports.dialogue import StopReason
from runner.testing.scenes import a_bot

NAMES = ("a", "b", "c", "d")
WORDS = st.sampled_from(["refund", "lawyer", "wrong", "hello"])
LABELS = st.sampled_from(["easy", "hard"])
USERS = st.sampled_from(["ada", "bob"])
TASKS = st.sampled_from(["faq", "chat"])
TIER_NAMES = st.sampled_from(NAMES)
RULES = st.builds(
    RouteRule,
    tier=TIER_NAMES,
    tasks=st.frozensets(TASKS, max_size=2),
    min_chars=st.none() | st.integers(0, 12),
    max_chars=st.none() | st.integers(0, 12),
    keywords=st.lists(WORDS, max_size=2).map(tuple),
    users=st.frozensets(USERS, max_size=2),
    labels=st.frozensets(LABELS, max_size=2),
)
ROUTINGS = st.builds(
    Routing,
    tiers=st.tuples(
        *(st.builds(Tier, st.just(n), st.just(ModelChoice("p", n)), st.booleans()) for n in NAMES)
    ),
    default=TIER_NAMES,
    tasks=st.dictionaries(TASKS, TIER_NAMES, max_size=2),
    rules=st.lists(RULES, max_size=4).map(tuple),
    classifier=st.just(Classifier("?", ("easy", "hard"), "a")),
    sticky=st.booleans(),
    escalation=st.none()
    | st.builds(
        Escalation,
        TIER_NAMES,
        st.frozensets(st.sampled_from(list(Signal))),
        st.lists(WORDS, max_size=2).map(tuple),
    ),
)
TEXTS = st.lists(WORDS, min_size=1, max_size=3).map(" ".join)
MESSAGES = st.tuples(
    TEXTS,
    USERS,
    TASKS | st.just(""),
    st.none() | LABELS,
    st.sampled_from(list(StopReason)),
    st.integers(0, 5),
)
"""Text, user, task, what the classifier says, how the turn ends, which of the routes answers (none above them)."""


def rank(name: str) -> int:
    return NAMES.index(name) if name else -1


def final(routing: Routing, facts: Facts, says: str | None) -> Decision:
    found = decide(routing, facts)
    if isinstance(found, NeedsLabel):
        assert not facts.standing.tier, "no label is wanted where the conversation has its tier"
        found = decide(routing, labelled(facts, says, "none"))
    assert isinstance(found, Decision), "asked once, never twice"
    return found


@given(ROUTINGS, st.lists(MESSAGES, max_size=6))
def test_a_conversation(
    routing: Routing, messages: list[tuple[str, str, str, str | None, StopReason, int]]
) -> None:
    bot = a_bot(routing=routing, fallbacks=(ModelChoice("p", "a"), ModelChoice("p", "spare")))
    stored, said = "", list[str]()
    for text, user, task, says, stop, answering in messages:
        before = standing_of(stored, routing)
        facts = Facts(text, user, task, before, tuple(said))
        decision = final(routing, facts, says)
        assert decision == final(routing, facts, says), "the same facts make the same decision"
        assert decision.reason
        asked = routes(bot, routing, decision, lambda _: True)
        assert (asked[0].choice, asked[0].route) == (decision.tier.choice, decision.tier.name)
        choices = [one.choice for one in asked]
        assert len(set(choices)) == len(choices), "no model is asked twice"
        assert before.signal == "" or rank(decision.tier.name) >= rank(before.tier), "raised is raised"
        if decision.signal:
            assert rank(decision.tier.name) > rank(before.tier)
        route = asked[answering].route if answering < len(asked) else ""
        then = after(routing, before, decision, stop, route)
        assert rank(then.tier) >= rank(before.tier), "a conversation never falls back down"
        assert then.signal or routing.sticky or not then.tier, (
            "only a raised one stays where nothing is sticky"
        )
        stored = str(then)
        assert standing_of(stored, routing) == then
        said.append(text)


@given(ROUTINGS, TEXTS, USERS, st.frozensets(TIER_NAMES))
def test_somebody_answers_whoever_takes_pictures(
    routing: Routing, text: str, user: str, seeing: frozenset[str]
) -> None:
    decision = final(routing, Facts(text, user), None)
    found = routes(a_bot(routing=routing), routing, decision, lambda one: one.model in seeing)
    assert found
    assert not seeing or all(one.choice.model in seeing for one in found)
    assert decision.tier.name not in seeing or found[0].route == decision.tier.name


@given(st.sampled_from([Standing(), *(Standing(n, s) for n in NAMES for s in ("", *Signal))]), ROUTINGS)
def test_what_a_conversation_stays_with_is_kept_as_text(standing: Standing, routing: Routing) -> None:
    read = standing_of(str(standing), routing)
    assert read in {standing, Standing()}
    assert read == standing or not (routing.sticky or standing.signal)
