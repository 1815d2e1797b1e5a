"""What several services share, one owner each; built and started by the container like any service."""
