"""Discord: the gateway or signed interactions in, the REST API out."""
