"""Fakes that ship: platforms to test against, over real sockets or without any."""
