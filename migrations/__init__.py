"""Alembic environment of every history, and revisions of Bedplate's own tables.

A change of ``services/database/models`` needs a revision: ``bedplate db revision "what it does"`` writes one from the
difference to a database at head, to be read and corrected. One that no release has shipped may still be edited. The
number in front of its file's name is its id, and the greatest is the head that a start compares with.
"""
