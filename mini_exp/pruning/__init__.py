"""Spectral pruning of PyTorch networks: linear and convolutional layers, residual blocks."""
