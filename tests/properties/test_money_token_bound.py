"""No tokenizer makes more tokens of a request than its bound says.

The tokenizers here are the worst that their kind can be: none of them knows any word, so each byte of what is
left after normalising is a token of its own.
"""

import json
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner.money.estimate import RequestSize, input_bound
from runner.money.prices import Price, Rates

PRICE = Price("m", "p", Rates(1, 1))
MESSAGE_MARKS = 8
"""Tokens that a chat template puts around each message: start, role, line ends, end."""

SAMPLES = {
    "English": "The quick brown fox jumps over the lazy dog. ",
    "German": "Fußgängerübergänge grüßen Öltanker. ",
    "Greek": "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία. ",
    "Russian": "Съешь ещё этих мягких булок. ",
    "Arabic": "نص حكيم له سر قاطع ",
    "Hebrew with points": "שָׁלוֹם עֲלֵיכֶם ",
    "Bengali": "আমি বাংলায় গান গাই ",
    "Hindi": "ऋषियों को सताने वाले ",
    "Thai": "เป็นมนุษย์สุดประเสริฐ ",
    "Burmese": "သီဟိုဠ်မှ ဉာဏ်ကြီးရှင် ",
    "Japanese": "いろはにほへと ちりぬるを ",
    "Chinese": "視野無限廣窗外有藍天 ",
    "Korean": "키스의 고유조건은 ",
    "Korean in pieces": unicodedata.normalize("NFD", "키스의 고유조건은 "),
    "a ligature that becomes eighteen letters": "\ufdfa",
    "letters that composing takes apart": "\u0958\u095c\ufb1d\ufb4b",
    "those and letters that only NFKC shortens": "\u0958\ufb01\uff21",
    "half- and full-width": "\uff76\uff9e\uff26\uff55\uff4c\uff4c",
    "fractions and units": "½ ㎏ ㍿ ℡ Ⅷ ①",
    "emoji with joiners": "👩‍👩‍👧‍👦 🏳️‍🌈 👋🏽 ",
    "many marks on one letter": "Z" + "\u0334\u0310\u0352" * 8,
    "unassigned and private": "\U000e0fff\uf8ff\U0010ffff",
    "control characters": "\x00\x07\x1b[31m\u200b\u2028",
    "line ends before marks": "\n\u0303\t\u0327\r\u0301",
    "JSON in JSON": '{"a": "\\"b\\\\"}',
    "code": "for (;;) { x ^= y << 3; }\n\t",
    "base64": "aGVsbG8gd29ybGQ+Pz8/",
}


def utf8(text: str) -> int:
    return len(text.encode("utf-8"))


def as_sent(text: str) -> int:
    """Byte-level BPE (GPT, Llama 3, Claude as far as anybody knows)."""
    return utf8(text)


def composed(text: str) -> int:
    """Byte-level BPE after NFC (Qwen)."""
    return utf8(unicodedata.normalize("NFC", text))


def compatible(text: str) -> int:
    """After NFKC."""
    return utf8(unicodedata.normalize("NFKC", text))


def sentence_pieces(text: str) -> int:
    """SentencePiece with byte fallback: a mark in front, one token a space, one a byte for the rest."""
    normal = unicodedata.normalize("NFKC", text)
    return 1 + utf8(normal)


TOKENIZERS: list[Callable[[str], int]] = [as_sent, composed, compatible, sentence_pieces]


def request(texts: list[str]) -> RequestSize:
    body = {"model": "m", "messages": [{"role": "user", "content": text} for text in texts]}
    return RequestSize(json.dumps(body, ensure_ascii=False), messages=len(texts))


@pytest.mark.parametrize("tokens", TOKENIZERS)
@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES.keys())
def test_scripts_of_the_world(sample: str, tokens: Callable[[str], int]) -> None:
    texts = [sample, sample * 100, "", sample]
    assert sum(tokens(text) + MESSAGE_MARKS for text in texts) <= input_bound(request(texts), PRICE)


TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.text(
    st.sampled_from('n\n\t\r\\"t\u0303\u0327\u0301\u0338=<\u0958\ufdfa\ufb01 \uff9e\uff76\u1100\u1161'),
    max_size=60,
)


@pytest.mark.parametrize("tokens", TOKENIZERS)
@given(texts=st.lists(TEXTS, max_size=5))
@example(texts=["\u0958" * 100 + "\ufb01" * 300])
def test_any_text(texts: list[str], tokens: Callable[[str], int]) -> None:
    assert sum(tokens(text) + MESSAGE_MARKS for text in texts) <= input_bound(request(texts), PRICE)


def test_the_usual_guess_is_no_bound() -> None:
    low = [name for name, sample in SAMPLES.items() if len(sample) // 4 < utf8(sample) // 3]
    assert len(low) > len(SAMPLES) // 2, "three bytes a token is what a good tokenizer reaches"


def test_bytes_as_sent_are_no_bound() -> None:
    assert compatible("\ufdfa") > utf8("\ufdfa") * 10
    assert composed("\u0958\ufb01") > max(as_sent("\u0958\ufb01"), compatible("\u0958\ufb01"))
