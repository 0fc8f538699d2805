"""An app with Flask-SQLAlchemy, Flask-Login, Flask-WTF and Flask-Migrate, and licet in it."""
