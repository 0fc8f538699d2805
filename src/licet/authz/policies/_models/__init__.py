"""What policies know of a mapped class: its columns and relations, and what fields are made of."""
