"""The main job, step by step, by a client that knows nothing but HTTP (``make demo``)."""
