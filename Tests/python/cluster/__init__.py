"""Several nodes on PostgreSQL servers while things break."""
