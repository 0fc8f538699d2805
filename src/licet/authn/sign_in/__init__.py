"""Sign-in of people at foreign OpenID providers, for browser sessions.

`code_flow` talks with a provider, `store` keeps sessions and what is on its way; what a browser
sees is in `licet.authn.web`. Whoever signs in has no local account: their identity is the
provider's, and the app's `account_of` says who that is.
"""
