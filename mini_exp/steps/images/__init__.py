"""The steps of an experiment on images."""
