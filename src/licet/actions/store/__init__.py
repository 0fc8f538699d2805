"""Actions as rows: tables, statements, and the `ActionStore` over them."""
