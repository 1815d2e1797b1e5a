"""Speed as a figure: each row is a ratio to a peer, or a limit, taken in the same run (``make bench``)."""
