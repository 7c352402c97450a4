"""Platforms in, messages out: one folder a platform, one contract for all.

Nothing in here knows of bots' money, models or stores. An adapter turns what a platform says into
`InboundMessage` and puts `OutboundMessage` back on it; what happens in between is not its business.
"""
