"""One daemon that runs all your chat bots from one bots.yaml and never spends a cent more than you allow."""

__version__ = "0.1.0"
