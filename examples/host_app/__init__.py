"""An application with a ``User`` model and migrations of its own, in the same database as Bedplate."""
