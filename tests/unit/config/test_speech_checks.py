"""`transcription:` in bots.yaml: what keeps a bot from hearing is told before it runs."""

import pytest

from runner.bots import ModelChoice
from runner.config.loader import parse
from runner.config.problems import Problems
from runner.config.secrets import Sources
from runner.config.settings import Loaded

BOT = "bots:\n  b:\n    platform: custom\n    llm_provider: echo\n    llm_model: echo\n"
CAP = "    spending_cap_cents: 5\n"
HOUSE = "providers: {house: {kind: openai, base_url: 'http://h/v1'}}\n"
OURS = 'prices: {my-ear: {input: "1", output: "0", limits: {min_audio_seconds: 5}}}\n'


def read(text: str, **environ: str) -> Loaded | Problems:
    return parse(text, "bots.yaml", Sources({"OPENAI_API_KEY": "key-o", **environ}))


def only_problem(text: str) -> str:
    result = read(text)
    assert isinstance(result, Problems)
    [problem] = result.problems
    return str(problem)


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        (f"{BOT}{CAP}    transcription: openai/whisper-1\n", ModelChoice("openai", "whisper-1")),
        (f"{BOT}{CAP}defaults: {{transcription: openai/whisper-1}}\n", ModelChoice("openai", "whisper-1")),
        (f"{HOUSE}{OURS}{BOT}{CAP}    transcription: house/my-ear\n", ModelChoice("house", "my-ear")),
        (f"{BOT}{CAP}", None),
    ],
)
def test_who_writes_speech_down(text: str, choice: ModelChoice | None) -> None:
    loaded = read(text)
    assert isinstance(loaded, Loaded), str(loaded)
    assert (loaded.settings.bots[0].transcription, loaded.warnings) == (choice, ())
    if choice is not None:
        assert choice.provider in loaded.settings.providers


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("whisper-1", "must be provider/model, such as openai/whisper-1"),
        ("opnai/whisper-1", "unknown provider 'opnai', did you mean openai?"),
        ("groq/whisper-large-v3", "bot b needs a key for groq: set the environment variable GROQ_API_KEY"),
        ("anthropic/claude-haiku-4-5", "anthropic does not write speech down; one of kind openai may"),
        ("openai/gpt-4o", "gpt-4o is priced by the token; this takes a model that is priced by the second"),
        ("openai/whisper-2", "Did you mean whisper-1?"),
        ("[a]", "must be text"),
    ],
)
def test_what_is_wrong_with_it(value: str, says: str) -> None:
    result = read(f"{BOT}{CAP}    transcription: {value}\n")
    assert isinstance(result, Problems)
    first = str(result.problems[0])
    assert first.startswith("bots.yaml:7: bots.b.transcription: ")
    assert says in first


def test_who_does_not_write_speech_down() -> None:
    text = f"{BOT}{CAP}    transcription: echo/my-ear\n{OURS}"
    assert "echo does not write speech down; one of kind openai may" in only_problem(text)


def test_the_lines_that_would_price_it() -> None:
    problem = only_problem(f"{HOUSE}{BOT}{CAP}    transcription: house/big-ear\n")
    assert "Add it, in US dollars per million seconds:" in problem
    [line] = [line for line in problem.splitlines() if "big-ear:" in line]
    prices = line.replace("…", "3.50").strip()
    text = f"{HOUSE}prices:\n  {prices}\n{BOT}{CAP}    transcription: house/big-ear\n"
    assert isinstance(read(text), Loaded)


def test_a_model_that_listens_does_not_talk() -> None:
    for line in ("llm_provider: openai\n    llm_model: whisper-1", "fallbacks: [openai/whisper-1]"):
        text = BOT.replace("llm_provider: echo\n    llm_model: echo", line)
        assert "whisper-1 writes speech down and does not talk" in str(read(text, ANTHROPIC_API_KEY="key-a"))


def test_a_bots_own_key_is_for_its_own_provider() -> None:
    own = f"{BOT}    billing_mode: byok\n    llm_api_key: key-b\n    transcription: "
    own = own.replace("llm_provider: echo\n    llm_model: echo", "llm_provider: groq\n    llm_model: m")
    assert isinstance(read(f"{own}groq/whisper-large-v3\n"), Loaded)
    assert isinstance(read(f"{own}openai/whisper-1\n"), Loaded)
    foreign = own.replace("groq", "openai")
    assert "needs a key for groq" in only_problem(f"{foreign}groq/whisper-large-v3\n")


def test_a_bot_that_reads_nothing_hears_nothing() -> None:
    loaded = read(f"{BOT}    attachments: 'off'\n    transcription: openai/whisper-1\n")
    assert isinstance(loaded, Loaded)
    assert "is not used with attachments: off" in str(loaded.warnings[0])
