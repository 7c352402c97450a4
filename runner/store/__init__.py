"""What is remembered: implementations of `runner.ports.stores`, and the one door to them, `catalogue`."""
