"""The settings of each service, one frozen group a file."""
