"""``testing``: what ported programs use in their own tests."""
