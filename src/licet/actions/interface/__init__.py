"""The Action Provider Interface over HTTP: blueprint, helper functions, and what both serve."""
