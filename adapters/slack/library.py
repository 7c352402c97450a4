"""slack-bolt and slack-sdk, loaded without what they drag in and nobody here calls.

Rule: what the libraries log of requests and responses goes nowhere, for texts of users are in it; a logger with a
level above all others is handed to them, since they look at its level themselves.
"""

from __future__ import annotations

import logging

from slack_bolt.async_app import AsyncApp, AsyncBoltRequest
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.signature import Clock
from slack_sdk.web.async_client import AsyncWebClient

__all__ = [
    "AsyncApp",
    "AsyncBoltRequest",
    "AsyncWebClient",
    "AuthorizeResult",
    "BoltResponse",
    "Clock",
    "SlackApiError",
    "SlackClientError",
    "silence",
]


def silence() -> logging.Logger:
    """A logger that says nothing."""
    logger = logging.getLogger("adapters.slack.silent")
    logger.setLevel(logging.CRITICAL + 1)
    return logger
