"""watchasay: an action provider made with the helper functions; it says what you said."""
