"""The handwritten digits that scikit-learn carries."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from mini_exp.tasks.images.image_data import ImageData, Images

if TYPE_CHECKING:
    import numpy as np

N_TEST = 360


class Digits(ImageData):
    """Handwritten digits: 1797 images, 360 of them the test set."""

    shape: ClassVar[tuple[int, int, int]] = (1, 8, 8)

    kind: Literal["digits"] = Field("digits", description="scikit-learn's 8 × 8 digits")

    def load(self, rng: np.random.Generator) -> tuple[Images, Images]:
        return digit_images(rng)

    @property
    def source(self) -> str:
        return "scikit-learn's 8 × 8 digits"


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
    >>> import numpy as np
    >>> train, test = digit_images(np.random.default_rng(0))
    >>> train.pixels.shape, test.pixels.shape, int(train.pixels.max())
    ((1437, 1, 8, 8), (360, 1, 8, 8), 16)
    """
    import numpy as np
    from sklearn.datasets import load_digits

    from mini_exp.tasks.images.splits import split_images

    digits = load_digits()
    pixels = digits.images.astype(np.uint8)[:, None]
    return split_images(Images(pixels, digits.target.astype(np.int64)), N_TEST, rng)
