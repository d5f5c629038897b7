"""The six steps of an experiment, in order: each a module with a ``STEP`` and a ``run``."""
