"""Where the services are used: injection, HTTP, sockets, worker, command line, tests."""
