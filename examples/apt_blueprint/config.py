"""Blank credentials: tokens come from the app's own issuer. Fill them in to use Globus Auth."""

CLIENT_ID = ""
CLIENT_SECRET = ""
