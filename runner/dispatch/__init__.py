"""From an accepted message to a sent answer: inbox, lanes, turn, outbox. Read `turn` first."""
