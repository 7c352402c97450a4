"""The rules of routing: who answers, why, and what the conversation stays with."""

from dataclasses import replace
from typing import Any

import pytest

from runner.agent.route_words import conditions, escalation_in_words, keyword_in, matched_label
from runner.agent.routing import (
    Decision,
    Facts,
    NeedsLabel,
    Standing,
    after,
    decide,
    labelled,
    models_of,
    routes,
    standing_of,
)
from runner.bots import Classifier, Escalation, ModelChoice, RouteRule, Routing, Signal, Tier
from runner.ports.dialogue import StopReason
from runner.testing.scenes import a_bot


def choice(name: str) -> ModelChoice:
    return ModelChoice("fake", name)


TIERS = (
    Tier("free", choice("free"), free=True),
    Tier("small", choice("small")),
    Tier("standard", choice("standard")),
    Tier("strong", choice("strong")),
)
RULES = (
    RouteRule("strong", keywords=("refund", "lawyer")),
    RouteRule("free", users=frozenset({"eve"})),
    RouteRule("small", max_chars=10, min_chars=3),
    RouteRule("strong", labels=frozenset({"hard"})),
)
ROUTING = Routing(
    TIERS,
    "standard",
    tasks={"faq": "small"},
    rules=RULES,
    classifier=Classifier("How hard?", ("easy", "hard"), "small"),
    escalation=Escalation("strong", frozenset(Signal), ("that is wrong",)),
)
LONG = "what is the meaning of it all"
EASY = {"label": "easy"}


def decided(routing: Routing = ROUTING, **facts: Any) -> Decision:
    found = decide(routing, Facts(**{"text": LONG, "label": "easy", **facts}))
    assert isinstance(found, Decision)
    return found


def told(**facts: Any) -> tuple[str, str]:
    found = decided(**facts)
    return found.tier.name, found.reason


@pytest.mark.parametrize(
    ("facts", "tier", "reason"),
    [
        ({"text": "I want a REFUND now"}, "strong", "rule 1: keyword refund"),
        ({"user": "eve"}, "free", "rule 2: user eve"),
        ({"text": "hello you"}, "small", "rule 3: at least 3 characters, at most 10 characters"),
        ({"text": "hm"}, "standard", "default"),
        ({"label": "hard"}, "strong", "rule 4: label hard"),
        ({"task": "faq"}, "small", "task faq"),
        ({"task": "other"}, "standard", "default"),
        ({"label": "hard", "task": "faq"}, "strong", "rule 4: label hard"),
        ({"label": "", "unlabelled": "it named none", "task": "faq"}, "small", "task faq; no label: it named none"),
        ({"label": "", "unlabelled": "it named none"}, "standard", "default; no label: it named none"),
        ({"standing": Standing("small")}, "small", "stays with small"),
        ({"standing": Standing("small"), "text": "lawyer"}, "small", "stays with small"),
        ({"standing": Standing("small"), "task": "faq", "label": None}, "small", "stays with small"),
        ({"standing": Standing("small"), "user": "eve"}, "free", "rule 2: user eve"),
        ({"standing": Standing("strong", "refusal"), "user": "eve"}, "strong", "stays with strong, escalated: refusal"),
        ({"text": "No, that is  WRONG!"}, "strong", "escalated: keyword that is wrong"),
        ({"recent": ("What is the  meaning of it ALL", "?")}, "strong", "escalated: repeated_question"),
        ({"recent": (LONG, "a", "b", "c")}, "standard", "default"),
        ({"text": "yes", "recent": ("yes",)}, "small", "rule 3: at least 3 characters, at most 10 characters"),
        (
            {"standing": Standing("strong"), "text": "that is wrong"},
            "strong",
            "stays with strong",
        ),
    ],
)  # fmt: skip
def test_who_answers_and_why(facts: dict[str, Any], tier: str, reason: str) -> None:
    assert told(**facts) == (tier, reason)


def test_a_label_is_wanted_only_where_a_rule_is_reached_undecided() -> None:
    assert decide(ROUTING, Facts(LONG)) == NeedsLabel(4)
    assert isinstance(decide(ROUTING, Facts("refund")), Decision)
    assert isinstance(decide(ROUTING, Facts(LONG, standing=Standing("small"))), Decision)
    narrow = replace(ROUTING, rules=(RouteRule("strong", labels=frozenset({"hard"}), max_chars=5),))
    assert isinstance(decide(narrow, Facts(LONG)), Decision)
    raised = decide(ROUTING, Facts(f"{LONG}, that is wrong"))
    assert isinstance(raised, Decision), "an escalation needs no label"


def test_the_facts_once_the_classifier_was_asked() -> None:
    assert labelled(Facts("a"), "hard", "x") == Facts("a", label="hard")
    assert labelled(Facts("a"), None, "why") == Facts("a", label="", unlabelled="why")


def test_tiers_that_do_not_stick() -> None:
    loose = replace(ROUTING, sticky=False)
    assert standing_of("small", loose) == Standing()
    raised = standing_of("strong after refusal", loose)
    assert raised == Standing("strong", "refusal")
    assert decided(loose, standing=raised).reason == "stays with strong, escalated: refusal"
    assert after(loose, Standing(), decided(loose), StopReason.ANSWERED, "standard") == Standing()


@pytest.mark.parametrize("standing", [Standing(), Standing("small"), Standing("strong", "failing_tools")])
def test_a_standing_is_a_text(standing: Standing) -> None:
    assert standing_of(str(standing), ROUTING) == standing


def test_a_tier_that_there_is_no_more_is_none() -> None:
    assert standing_of("gone", ROUTING) == standing_of("gone after refusal", ROUTING) == Standing()


@pytest.mark.parametrize(
    ("stop", "signal"),
    [
        (StopReason.FAILING_TOOLS, "failing_tools"),
        (StopReason.LOOP_LIMIT, "loop_limit"),
        (StopReason.TOOL_LIMIT, "loop_limit"),
        (StopReason.SAME_CALL, "loop_limit"),
        (StopReason.OUTPUT_LIMIT, "output_limit"),
        (StopReason.MODEL_REFUSED, "refusal"),
    ],
)
def test_what_raises_a_conversation(stop: StopReason, signal: str) -> None:
    small = decided(task="faq")
    assert after(ROUTING, Standing(), small, stop, "small") == Standing("strong", signal)
    assert after(ROUTING, Standing("small"), small, stop, "small") == Standing("strong", signal)
    deaf = replace(ROUTING, escalation=Escalation("strong", frozenset(Signal) - {Signal(signal)}))
    assert after(deaf, Standing(), small, stop, "small") == Standing("small")
    assert after(replace(ROUTING, escalation=None), Standing(), small, stop, "small") == Standing("small")


@pytest.mark.parametrize(
    "stop",
    sorted(
        set(StopReason)
        - {
            StopReason.FAILING_TOOLS,
            StopReason.LOOP_LIMIT,
            StopReason.TOOL_LIMIT,
            StopReason.SAME_CALL,
            StopReason.OUTPUT_LIMIT,
            StopReason.MODEL_REFUSED,
        }
    ),
)
def test_what_does_not(stop: StopReason) -> None:
    assert after(ROUTING, Standing("small"), decided(task="faq"), stop, "small") == Standing("small")


@pytest.mark.parametrize(
    ("facts", "standing", "route", "then"),
    [
        ({}, Standing(), "standard", Standing("standard")),
        ({}, Standing(), "", Standing()),
        ({}, Standing(), "fallback", Standing()),
        ({"user": "eve"}, Standing(), "free", Standing()),
        ({"text": "refund"}, Standing(), "strong", Standing("strong")),
        ({"user": "eve"}, Standing("standard"), "free", Standing("standard")),
        ({"text": "that is wrong"}, Standing("small"), "strong", Standing("strong", "keywords")),
        ({"text": "that is wrong"}, Standing("small"), "", Standing("strong", "keywords")),
    ],
)
def test_what_a_conversation_stays_with(
    facts: dict[str, Any], standing: Standing, route: str, then: Standing
) -> None:
    assert after(ROUTING, standing, decided(standing=standing, **facts), StopReason.ANSWERED, route) == then


def test_the_tier_behind_a_free_one_is_what_a_conversation_stays_with_once_it_answered() -> None:
    free = Decision(TIERS[0], "rule 2")
    assert after(ROUTING, Standing(), free, StopReason.ANSWERED, "small") == Standing("small")


def test_a_strong_tier_that_failed_is_not_raised_further() -> None:
    strong = decided(text="refund")
    assert after(ROUTING, Standing(), strong, StopReason.MODEL_REFUSED, "strong") == Standing("strong")


def anything(_: ModelChoice) -> bool:
    return True


def route_names(decision: Decision, routing: Routing = ROUTING, sees: Any = anything) -> list[str]:
    bot = a_bot(routing=routing, fallbacks=(choice("small"), choice("spare")))
    found = routes(bot, routing, decision, sees)
    return [f"{one.route} {one.choice.model}" for one in found]


def test_the_tier_then_those_behind_a_free_one_then_the_fallbacks() -> None:
    assert route_names(decided()) == ["standard standard", "fallback small", "fallback spare"]
    assert route_names(decided(user="eve")) == ["free free", "small small", "fallback spare"]
    two = (TIERS[0], replace(TIERS[1], free=True), *TIERS[2:])
    free = decided(user="eve")
    assert route_names(free, replace(ROUTING, tiers=two)) == [
        "free free",
        "small small",
        "standard standard",
        "fallback spare",
    ]
    found = routes(a_bot(), ROUTING, free, anything)
    assert [one.reason for one in found] == ["rule 2: user eve", "behind the free tier free"]


def test_a_picture_goes_to_the_next_tier_that_sees() -> None:
    small = decided(task="faq")
    bot = a_bot(routing=ROUTING, fallbacks=(choice("spare"),))

    def asked(*seeing: str) -> list[tuple[str, str]]:
        found = routes(bot, ROUTING, small, lambda one: one.model in seeing)
        return [(one.route, one.reason) for one in found]

    assert asked("small", "standard", "spare") == [("small", "task faq"), ("fallback", "")]
    assert asked("strong") == [("strong", "task faq; small takes no pictures")]
    assert asked("free")[0] == ("free", "task faq; small takes no pictures")
    assert asked() == [("small", "task faq")]


def test_every_model_that_may_answer() -> None:
    bot = a_bot(fallbacks=(choice("spare"), choice("small")))
    assert [one.model for one in models_of(bot)] == ["model-1", "spare", "small"]
    routed = replace(bot, routing=ROUTING)
    assert [one.model for one in models_of(routed)] == ["free", "small", "standard", "strong", "spare"]


@pytest.mark.parametrize(
    ("text", "keyword", "stands"),
    [
        ("A Refund, please", "refund", True),
        ("refunds", "refund", False),
        ("prerefund", "refund", False),
        ("\uff32efund?", "refund", True),
        ("that  is\nwrong", "That is wrong", True),
        ("STRASSE", "straße", True),
        ("我要退款了", "退款", True),
        ("c++ or c", "c++", True),
        ("abc", " ", False),
        ("a.b", "a?b", False),
    ],
)
def test_whether_a_keyword_stands_in_a_text(text: str, keyword: str, *, stands: bool) -> None:
    assert (keyword_in(text, ["nothing else", keyword]) == keyword) is stands


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        ("hard", "hard"),
        ("Hard.", "hard"),
        ('"hard"', "hard"),
        ("The label is **hard**.", "hard"),
        ("easy or hard", None),
        ("harder", None),
        ("", None),
        ("not so easy", "not so easy"),
    ],
)
def test_which_label_an_answer_names(answer: str, label: str | None) -> None:
    assert matched_label(answer, ["easy", "hard", "not so easy"]) == label


def test_rules_in_words() -> None:
    assert [conditions(rule) for rule in RULES] == [
        "keyword refund or lawyer",
        "user eve",
        "at least 3 characters, at most 10 characters",
        "label hard",
    ]
    assert (
        conditions(RouteRule("a", tasks=frozenset({"y", "x"}), users=frozenset({"u"})))
        == "task x or y, user u"
    )
    said = escalation_in_words(Escalation("strong", frozenset({Signal.REFUSAL, Signal.KEYWORDS}), ("a", "b")))
    assert said == "refusal, keyword a or b"
    assert escalation_in_words(Escalation("strong", frozenset({Signal.LOOP_LIMIT}))) == "loop_limit"


def test_a_declared_task_moves_a_conversation_up_and_never_down() -> None:
    tasks = replace(ROUTING, tasks={"faq": "small", "dispute": "strong"})
    asked = Facts(LONG, task="dispute", standing=Standing("small"))
    decision = decide(tasks, asked)
    assert isinstance(decision, Decision)
    assert (decision.tier.name, decision.reason) == ("strong", "task dispute")
    stays = after(tasks, Standing("small"), decision, StopReason.ANSWERED, "strong")
    assert stays == Standing("strong")
    down = decide(tasks, Facts(LONG, task="faq", standing=stays))
    assert isinstance(down, Decision)
    assert (down.tier.name, down.reason) == ("strong", "stays with strong")
    listed = decide(tasks, replace(asked, user="eve"))
    assert isinstance(listed, Decision)
    assert listed.tier.name == "free", "a rule about the user holds before the task"


def test_a_busy_free_tier_moves_no_conversation_up() -> None:
    decision = decide(ROUTING, Facts(LONG, standing=Standing("free")))
    assert isinstance(decision, Decision)
    assert after(ROUTING, Standing("free"), decision, StopReason.ANSWERED, "small") == Standing("free")
