"""Contrast of the colours, in both themes, as WCAG 2.2 AA asks: 4.5 for texts, 3 for drawings and edges."""

import re

import pytest

from runner.web.dashboard.render import load_assets

SERIES = [f"s{at}" for at in range(6)] + ["s-other"]
KINDS = ["good", "warn", "bad", "busy", "off"]
TEXTS = [
    *((ink, back) for ink in ("ink", "soft") for back in ("back", "card", "sunk")),
    *(("accent", back) for back in ("back", "card", "accent-soft")),
    ("accent-ink", "accent"),
    ("back", "ink"),  # what a chart says under the pointer
    ("ink", "accent-soft"),
    *((kind, f"{kind}-soft") for kind in KINDS),
    *((kind, "card") for kind in KINDS),
]
DRAWN = [
    *((one, "card") for one in SERIES),
    *((kind, "card") for kind in KINDS),
    ("edge", "card"),
    ("edge", "back"),
    ("accent", "back"),
]


def colours(theme: int) -> dict[str, str]:
    sheet = load_assets()["colours.css"].body.decode()
    found = re.findall(r"--([a-z0-9-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);", sheet)
    return {name: pair[theme] for name, *pair in found}


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_measure_is_right() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.478, abs=0.001)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("front", "back", "least"), [(*pair, 4.5) for pair in TEXTS] + [(*pair, 3) for pair in DRAWN]
)
def test_what_must_be_seen_is_seen(front: str, back: str, least: float, theme: int) -> None:
    known = colours(theme)
    assert contrast(known[front], known[back]) >= least


def test_no_colour_stands_outside_the_sheet_of_colours() -> None:
    for name, asset in load_assets().items():
        if name.endswith(".css") and name != "colours.css":
            assert not re.findall(r"#[0-9a-fA-F]{3,8}\b(?=[^{]*})|rgb\(|hsl\(", asset.body.decode()), name


def test_each_colour_that_is_used_is_defined_for_both_themes() -> None:
    sheets = [asset.body.decode() for name, asset in load_assets().items() if name.endswith(".css")]
    used = {name for sheet in sheets for name in re.findall(r"var\(--([a-z0-9-]+)\)", sheet)}
    assert used <= {*colours(0), "shade"}
    assert colours(0).keys() == colours(1).keys()
