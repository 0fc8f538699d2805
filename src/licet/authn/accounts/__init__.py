"""Local accounts: people who sign up here, as an OpenID-shaped issuer.

The core (`documents`, `passwords`, `revocation`, `mail`, `letters`, and the operations `sessions`
and `credentials`) knows neither Flask nor SQLAlchemy; `store` keeps everything in SQL, and `flask`
makes it from an app's settings. Its HTTP is in `licet.authn.web`.
"""
