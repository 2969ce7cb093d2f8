"""What workers run: one module per domain package, each job thin, all through one runner."""
