"""Decorators of endpoints, and what an app does with every request."""
