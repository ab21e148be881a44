"""What the service is worth: the treated visitors beside those who were held out."""
