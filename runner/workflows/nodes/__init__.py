"""The nodes of a workflow: what may be written of each, and what it is once it was read."""
