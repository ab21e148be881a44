"""What goes over the wire, checked by pydantic at the edge."""
