"""Signing in from the command line: how a token is had, kept, renewed, and for whom it is meant."""
