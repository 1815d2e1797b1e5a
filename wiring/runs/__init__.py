"""What becomes of the events of a run: messages, records, spans, and the events that clients read."""
