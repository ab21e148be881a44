"""The log and what is folded from it, kept in a database."""
