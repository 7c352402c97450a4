"""HTTP: webhooks in, the admin API, the chat page. Everything it needs is handed to it as `WebParts`."""
