"""Servers of tools (MCP): named connections that are kept, and what bots may call over them."""
