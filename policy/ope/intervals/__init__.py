"""How sure an estimate is: one kind of interval a file."""
