"""Workflows: graphs of nodes that answer instead of the agent loop.

    faults ◀─ expressions ◀─ conditions ◀─ nodes ◀─ graph ◀─ engine ─▶ state
              patterns ◀────┘                        └─▶ picture       sandbox ─▶ script (another process)

Rules: a graph is read and checked once, before its bot starts; the engine only decides what is to be done next,
whoever drives it does that and tells it how it went. Nothing here is loaded by a daemon without workflows.
"""
