"""Money: amounts, prices, bounds, decisions. Pure: no I/O, no clock, no float."""
