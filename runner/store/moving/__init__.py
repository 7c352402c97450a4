"""A whole store into another kind of store: all or nothing, and checked before it counts."""
