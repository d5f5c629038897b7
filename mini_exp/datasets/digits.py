"""The handwritten digits that scikit-learn carries."""

from __future__ import annotations

import numpy as np

from mini_exp.datasets.images import split_images
from mini_exp.types import Images

N_TEST = 360


def digit_images(rng: np.random.Generator) -> tuple[Images, Images]:
    """Training (1437) and test set (360) of 8 × 8 digits, pixels 0 … 16, ten classes.

    Parameters
    ----------
    rng : numpy.random.Generator
        Decides which images are the test set.

    Returns
    -------
    train, test : Images
        Pixels of shape (n, 1, 8, 8); disjoint, shuffled, classes in equal proportion.

    References
    ----------
    Alpaydin and Kaynak (1998), Optical Recognition of Handwritten Digits, UCI Machine Learning
    Repository: its test set, ``sklearn.datasets.load_digits``.

    Examples
    --------
    >>> train, test = digit_images(np.random.default_rng(0))
    >>> train.pixels.shape, test.pixels.shape, int(train.pixels.max())
    ((1437, 1, 8, 8), (360, 1, 8, 8), 16)
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    pixels = digits.images.astype(np.uint8)[:, None]
    return split_images(Images(pixels, digits.target.astype(np.int64)), N_TEST, rng)
