"""Full-text search over files of the operator, in SQLite's FTS5, whatever the daemon's store is."""
