"""mini-exp: Spectral Pruning as in Sørby (2019), reproduced, corrected and measured."""

__version__ = "0.1.0"
