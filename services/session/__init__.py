"""The session service: flows, projects, sessions of execution, builds, and the runner that executes a flow."""
