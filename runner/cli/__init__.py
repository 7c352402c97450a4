"""The command line: what an operator types, and what they see. `main` is the door; one file a group of commands."""
