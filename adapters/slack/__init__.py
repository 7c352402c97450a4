"""Slack by Socket Mode or its Events API, chat.postMessage out."""
