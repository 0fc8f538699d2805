"""Schemas: what bodies may hold, and what answers show."""
