"""Who serves models: OpenAI-compatible servers, Anthropic, and an offline echo. Built by the catalogue."""
