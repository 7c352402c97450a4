"""What an operator sees of the daemon: logs, figures, health. Made from events, changes nothing."""
