"""Policies: conditions, roles and rules about objects, and their three readings."""
