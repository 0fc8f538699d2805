"""Steps: what each was, at which place, and whether a later attempt asks for the same."""
