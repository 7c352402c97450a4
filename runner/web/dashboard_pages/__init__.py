"""The dashboard's pages as an HTTP server answers them: what is asked for, looked up, shown and changed."""
