"""The store of many daemons: `runner.ports.stores.Store` on PostgreSQL."""
