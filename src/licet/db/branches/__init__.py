"""Migrations: two branches, licet's and the app's, moved, checked, written, rehearsed."""
