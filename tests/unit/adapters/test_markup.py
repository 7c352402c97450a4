"""Markdown in the markup of a chat: what is shown, what stays plain, and that nobody is pinged."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.markup import DISCORD, PLAIN, WHATSAPP, Dialect, render, safe

ROOT = Path(__file__).resolve().parents[3]
GAP = "\u200b"
TABLE = "| a | b |\n|---|---|\n| 1 | **22** |"


@pytest.mark.parametrize(
    ("text", "discord", "whatsapp", "plain"),
    [
        ("**b** *i* _j_ ~~s~~", "**b** *i* *j* ~~s~~", "*b* _i_ _j_ ~s~", "b i j s"),
        ("__b__", "**b**", "*b*", "b"),
        ("***both***", "***both***", "_*both*_", "both"),
        ("# One **two**\ntext", "# One **two**\ntext", "*One two*\ntext", "One two\ntext"),
        ("#### deep *i*", "**deep *i***", "*deep _i_*", "deep i"),
        ("- a\n- b\n  1. c", "- a\n- b\n  1. c", "- a\n- b\n  1. c", "• a\n• b\n  1. c"),
        ("3. three\n4. four", "3. three\n4. four", "3. three\n4. four", "3. three\n4. four"),
        ("> q\n> r", "> q\n> r", "> q\n> r", "q\nr"),
        ("[t](https://x.y)", "[t](<https://x.y>)", "t (https://x.y)", "t (https://x.y)"),
        ("<https://x.y>", "https://x.y", "https://x.y", "https://x.y"),
        ("<a@b.cd>", "a@b.cd", "a@b.cd", "a@b.cd"),
        ("![cat](https://x.y)", "[cat](https://x.y)", "cat (https://x.y)", "cat (https://x.y)"),
        ("`a*b`", "`a*b`", "`a*b`", "a*b"),
        ("```py\na*b\n```", "```py\na*b\n```", "```\na*b\n```", "a*b"),
        ("a\n\n---\n\nb", "a\n\n───\n\nb", "a\n\n───\n\nb", "a\n\n───\n\nb"),
        (TABLE, "```\na | b\n- | --\n1 | 22\n```", "```\na | b\n- | --\n1 | 22\n```", "a – b\n1 – 22"),
        ("**a\nb**", "**a\nb**", "*a*\n*b*", "a\nb"),
        ("[x]: https://kept.example", r"[x]: https://kept.example", *["[x]: https://kept.example"] * 2),
        ("<b>&amp;</b>", r"\<b>&\</b>", "<b>&</b>", "<b>&</b>"),
    ],
)
def test_each_dialect(text: str, discord: str, whatsapp: str, plain: str) -> None:
    assert render(text, DISCORD) == discord
    assert render(text, WHATSAPP) == whatsapp
    assert render(text, PLAIN) == plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (r"2 * 3 * 4", r"2 \* 3 \* 4"),
        (r"\*no em\*", r"\*no em\*"),
        ("snake_case_name and _open", r"snake_case_name and \_open"),
        ("a || b ||", r"a \|\| b \|\|"),
        ("text\n-# small", "text\n\\-# small"),
        (r"\# no heading", r"\# no heading"),
        (r"1\. no list", r"1\. no list"),
        ("https://x.y/a_b_(c)*d", "https://x.y/a_b_(c)*d"),
        ("C:\\dir and \\[x]", "C:\\dir and [x]"),
        ("<@42> <@&7> <#9> </reset:1> <:x:1>", r"\<@42> \<@&7> \<#9> \</reset:1> \<:x:1>"),
        ("[x](javascript:alert)", r"[x\](javascript:alert)"),
        ("``` a`b ```", "`` a`b ``"),
    ],
)
def test_plain_text_stays_plain_on_discord(text: str, shown: str) -> None:
    assert render(text, DISCORD) == shown


@pytest.mark.parametrize("dialect", [DISCORD, WHATSAPP, PLAIN], ids=["discord", "whatsapp", "plain"])
def test_nobody_is_pinged(dialect: Dialect) -> None:
    shown = render("@everyone **@here** @Everyone, [@here](https://x.y) a@hereby <!channel>", dialect)
    assert not re.search(r"@(everyone|here)\b", shown, re.IGNORECASE)
    assert "<!channel>" not in shown.replace("\\<", "")
    assert "a@hereby" in shown
    assert safe("<!here> @everyone") == f"<{GAP}!here> @{GAP}everyone"


def test_a_fence_inside_of_code_does_not_end_it() -> None:
    shown = render("````\n```\ninner\n```\n````", DISCORD)
    assert shown.count("```") == 2
    assert "inner" in shown


def test_what_would_grow_over_the_limit_goes_out_as_it_came() -> None:
    text = "*" + " * x" * 40
    assert len(render(text, DISCORD)) > len(text)
    assert render(text, DISCORD, limit=len(text)) == text
    assert render("@here " + "* " * 40, DISCORD, limit=87) == f"@{GAP}here " + "* " * 40
    assert render("@here *", DISCORD, limit=7) == "@here *"
    assert render("🎉*", DISCORD, 3, lambda shown: 2 * len(shown)) == "🎉*"


def test_plain_sentences_load_no_parser() -> None:
    code = (
        "import sys; from adapters.markup import DISCORD, render\n"
        "print(render('Hello, how are you? Fine - thanks.\\nBye', DISCORD), 'markdown_it' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "Hello, how are you? Fine - thanks.\nBye False"


TOKENS = [
    "#",
    "**",
    "*",
    "_",
    "`",
    "```",
    "-",
    "1.",
    ">",
    "|",
    "[",
    "](",
    ")",
    "~~",
    "\\",
    "@everyone",
    "<@1>",
    "word",
    "zwei",
    "https://x.y/z",
]
PIECES = st.lists(
    st.sampled_from([*TOKENS, " ", "\n", "\n\n", "    ", "| a | b |\n|-|-|\n| c | d |\n"]), max_size=40
).map("".join)


@given(text=PIECES | st.text(max_size=60))
def test_words_are_kept_and_pings_are_not(text: str) -> None:
    for dialect in (DISCORD, WHATSAPP, PLAIN):
        shown = render(text, dialect)
        assert shown.strip() or not text.strip() or not re.search(r"\w", text)
        assert len(re.findall("word|zwei", shown)) >= len(re.findall("word|zwei", _without_info(text)))
        # Code and addresses are left as they are; in code it pings nobody.
        assert "@everyone" not in shown or shown == text or re.search(r"`|~~~|    |z@", text)


def _without_info(text: str) -> str:
    """A fence's language, of which only a name is shown, and only where there are languages."""
    return re.sub(r"(`{3,}|~{3,}).*", r"\1", text)
