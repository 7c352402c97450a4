"""What the flow asks of the world, as Protocols with MUST and MAY; who keeps them is chosen in `runner.app`."""
