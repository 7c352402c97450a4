"""Teams: a bot that hands work over to others."""
