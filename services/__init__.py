"""Whole services that are built with licet; `site` serves all of them and the examples."""
