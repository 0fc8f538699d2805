"""Durable actions as rows: what is queued, claimed, renewed and ended."""
