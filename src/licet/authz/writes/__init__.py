"""Guarded changes: what a request writes is decided by the rows as they were and as written."""
