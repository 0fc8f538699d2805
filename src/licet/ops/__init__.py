"""Is it healthy, watched and safely configured? It looks at all; only the cli imports it."""
