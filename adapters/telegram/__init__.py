"""Telegram by its Bot API: long polling in, sendMessage out."""
