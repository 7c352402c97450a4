"""The bots that live: who they are now, how they are connected, and the tasks that hold their connections."""

from runner.supervisor.connections import Flow, Supervisor
from runner.supervisor.roster import Connection, LiveBot, LiveRoster

__all__ = ["Connection", "Flow", "LiveBot", "LiveRoster", "Supervisor"]
