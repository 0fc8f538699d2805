"""Views beside the resources."""
