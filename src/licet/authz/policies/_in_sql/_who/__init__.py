"""Who may: the accounts for which a condition holds of one object, as SQL."""
