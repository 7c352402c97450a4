"""The embedded store: one file, one writer thread, group commit. Start reading at `store`."""
