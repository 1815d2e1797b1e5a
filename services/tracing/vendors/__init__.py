"""The vendors that runs are told to, each in a file of its own, and the way of spans to them.

What a vendor is told leaves this process from a thread of its own, through a bounded queue, as OTLP over HTTP: see
``docs/decisions/0007-vendors-by-otlp.md``.
"""
