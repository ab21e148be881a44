"""`segue doctor`: whether a service can be relied on as it is set up here."""
