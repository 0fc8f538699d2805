"""Small programs made with licet, to copy from."""
