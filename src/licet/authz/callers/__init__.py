"""Who asks: the caller of a request, and what nobody is told."""
