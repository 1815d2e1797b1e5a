"""What there is: the declarative containers."""
