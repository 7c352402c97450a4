"""Fakes that ship: for our own tests, and for those who build on this."""
