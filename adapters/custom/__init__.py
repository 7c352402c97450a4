"""One's own platform: a POST brings a message and its response is the answer."""
