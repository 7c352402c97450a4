"""The agent: steps of model and tools up to the limits, each model call through the meter."""
