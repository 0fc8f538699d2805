"""Whether an app is configured safely: what checks its tokens is attacked."""
