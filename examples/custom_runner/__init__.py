"""A runner of one's own in the place of the graph runner."""
