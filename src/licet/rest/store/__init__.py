"""Rows of rest."""
