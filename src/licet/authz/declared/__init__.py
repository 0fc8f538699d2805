"""What each endpoint says about who may call it, and the audit that asks for it."""
