"""Durable actions: one function each, run by workers, kept in rows that outlive any process."""
