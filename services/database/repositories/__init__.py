"""Every query, one repository a file: it takes a session, returns rows, and serves one service."""
