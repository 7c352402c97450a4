"""What was saved, and what could be: reckoned from sums and rows of the ledger, for people to decide."""
