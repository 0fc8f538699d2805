"""Policies read as SQL: a condition as a predicate, a filtered list and its pages."""
