"""Azure Personalizer's REST interface, for the clients that outlived its service."""
