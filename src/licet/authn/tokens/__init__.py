"""Bearer text in, `Identity` out: JWTs, keys, introspection, our own issuer, several in a chain."""
