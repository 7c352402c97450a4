"""WhatsApp by Meta's Cloud API: webhooks in, messages out."""
