"""The pipeline: which steps are fresh, running what is not, what is on disk."""
