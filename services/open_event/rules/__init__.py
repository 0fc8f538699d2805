"""What the service asks beside who may do what; each module adds the hooks of its resources."""

from . import events, forms, invites, names, parts, program, schedule, states, urls, users

__all__ = [
    "events",
    "forms",
    "invites",
    "names",
    "parts",
    "program",
    "schedule",
    "states",
    "urls",
    "users",
]
