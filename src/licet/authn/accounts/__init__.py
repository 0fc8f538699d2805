"""Local accounts: people who sign up here, as an OpenID-shaped issuer.

The core (`documents`, `passwords`, `throttle`, `revocation`, `mail`, `letters`, `outbox`, and the
operations `registration`, `sessions`, `credentials`) knows neither Flask nor SQLAlchemy; `store`
keeps everything in SQL, `flask` attaches it to an app, `api` and `pages` are its HTTP.
"""
