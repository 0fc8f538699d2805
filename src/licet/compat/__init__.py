"""The originals' module names over licet's own code: a port is one changed import root."""
