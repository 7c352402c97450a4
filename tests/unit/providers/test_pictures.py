"""Pictures on the wire, and what of them is bounded by bytes: nothing, each has its row's figure."""

import json
from dataclasses import replace

import pytest

from runner.bots import ModelChoice
from runner.conversations.models import Picture, UserMessage
from runner.money.estimate import ImagesRefused, RequestSize, estimate
from runner.money.prices import ModelLimits, Price, Rates
from runner.ports.dialogue import ModelRequest
from runner.providers.chat_wire import chat_body
from runner.providers.dialects import CUSTOM
from runner.providers.messages_wire import messages_body
from runner.providers.wording import without_pictures

DATA = "QUJD" * 5000
SEEN = UserMessage("what is it?", pictures=(Picture("image/png", DATA),))
REQUEST = ModelRequest(ModelChoice("p", "m"), "You see.", (SEEN,))


def test_chat_completions() -> None:
    body, _ = chat_body(REQUEST, CUSTOM, None)
    [picture, text] = json.loads(body)["messages"][1]["content"]
    assert picture == {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{DATA}"}}
    assert text == {"type": "text", "text": "what is it?"}


def test_messages() -> None:
    [picture, text] = json.loads(messages_body(REQUEST))["messages"][0]["content"]
    assert picture["source"] == {"type": "base64", "media_type": "image/png", "data": DATA}
    assert text["text"] == "what is it?"


def test_a_picture_is_bounded_by_its_row_and_not_by_its_bytes() -> None:
    body = messages_body(REQUEST)
    text, pictures = without_pictures(body, REQUEST)
    assert (len(text), pictures) == (len(body) - len(DATA), 1)
    price = Price("m", "p", Rates(10**6, 10**6), limits=ModelLimits(image_tokens=1600))
    bound = estimate(RequestSize(text, 2, pictures), price, 100)
    assert bound.input_tokens == len(text) + 2 * 16 + 64 + 1600
    with pytest.raises(ImagesRefused):
        estimate(RequestSize(text, 2, pictures), replace(price, limits=ModelLimits()), 100)


def test_two_equal_pictures_are_both_taken_out() -> None:
    twice = replace(REQUEST, messages=(replace(SEEN, pictures=SEEN.pictures * 2),))
    text, pictures = without_pictures(messages_body(twice), twice)
    assert (DATA in text, pictures) == (False, 2)
