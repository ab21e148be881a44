"""Champion and challenger: when to promote, and when to roll back."""
