"""Alembic environment and revisions of Bedplate's own tables."""
