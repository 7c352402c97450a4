"""The dashboard: views (what a page shows) -> render (templates, charts) -> HTML text. Nothing here reads a store."""
