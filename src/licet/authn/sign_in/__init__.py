"""Sign-in of people at foreign OpenID providers, for browser sessions.

`code_flow` talks with a provider, `store` keeps sessions and what is on its way, `pages` is what a
browser sees. Whoever signs in has no local account: their identity is the provider's, and the app's
`account_of` says who that is.
"""
