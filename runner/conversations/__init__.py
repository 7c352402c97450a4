"""Conversations: whose they are, how long they last, what of them a model sees. Pure."""
