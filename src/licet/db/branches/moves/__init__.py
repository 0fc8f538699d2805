"""Moving a branch from one revision to another, by one process at a time, wholly or not at all."""
