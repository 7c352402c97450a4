"""The meter of batches: the only door to a provider's batches, as `runner.agent.meter` is for single calls."""
