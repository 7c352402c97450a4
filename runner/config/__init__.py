"""What an operator writes, read once at the edge: bots.yaml, its secrets, its prices. Stops at `app`."""
