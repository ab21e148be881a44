"""`segue simulate`: simulated shoppers as visitors of a running service."""
