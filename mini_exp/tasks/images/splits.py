"""Sets of images: cut in two, described and standardised."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mini_exp.errors import DomainError, ShapeError
from mini_exp.spectral import Floats
from mini_exp.tasks.images.image_data import Images


def split_images(
    images: Images, n_validation: int, rng: np.random.Generator, n_train: int | None = None
) -> tuple[Images, Images]:
    """A training and a validation set, disjoint, shuffled, with the classes in equal proportion.

    Parameters
    ----------
    images : Images
        At least two of every class. Nothing of it is changed.
    n_validation : int
        Images of the validation set, at least one per class.
    rng : numpy.random.Generator
        Gives one number, the seed of the split.
    n_train : int, optional
        Images of the training set, at least one per class; all that are left by default.

    Returns
    -------
    train, validation : Images
        Copies. With n_c of the n images in class c, the validation set holds n_c n_validation / n
        of them within 1 (within 2 where ``n_train`` is given), and where all n_c are equal, two
        classes of either set differ by 1 at most.

    Raises
    ------
    DomainError
        If there are too few images, or fewer asked for than classes.

    Examples
    --------
    >>> images = Images(np.zeros((10, 1, 2, 2), np.uint8), np.repeat([0, 1], 5))
    >>> train, validation = split_images(images, 4, np.random.default_rng(0))
    >>> np.bincount(train.labels), np.bincount(validation.labels)
    (array([3, 3]), array([2, 2]))
    """
    from sklearn.model_selection import train_test_split

    classes, sizes = np.unique(images.labels, return_counts=True)
    least = max(len(classes), 1)
    rest = len(images) - n_validation
    kept = rest if n_train is None else n_train
    if min(n_validation, kept) < least or kept > rest:
        raise DomainError(
            f"split: expected n_train and n_validation of at least {least} (one per class) "
            f"that add up to at most {len(images)}, got {kept} and {n_validation}"
        )
    if sizes.min() < 2:
        alone = classes[sizes.argmin()]
        raise DomainError(f"split: expected at least 2 images of every class, got 1 of {alone}")
    train, validation = train_test_split(
        np.arange(len(images)),
        train_size=kept,
        test_size=n_validation,
        stratify=images.labels,
        random_state=int(rng.integers(2**32)),
    )
    return _subset(images, train), _subset(images, validation)


def _subset(images: Images, index: npt.NDArray[np.int64]) -> Images:
    return Images(images.pixels[index], images.labels[index])


def channel_statistics(images: Images) -> tuple[Floats, Floats]:
    """Mean and standard deviation of every channel over images and positions.

    Parameters
    ----------
    images : Images
        At least one.

    Returns
    -------
    mean, std : (channels,) float64
        In units of the pixels. The ``std`` of a constant channel is 1, so that it can divide.

    Raises
    ------
    DomainError
        If there is no pixel.

    Notes
    -----
    The sums are integers, hence exact. Beside the pixels it takes no memory.

    Examples
    --------
    >>> channel_statistics(Images(np.array([[[[1, 3]], [[7, 7]]]], np.uint8), np.zeros(1, int)))
    (array([2., 7.]), array([1., 1.]))
    """
    pixels = images.pixels
    n_channels = pixels.shape[1]
    if not pixels.size:
        raise DomainError(f"channel statistics: expected pixels, got shape {pixels.shape}")
    count = pixels.size // n_channels
    total = pixels.sum(axis=(0, 2, 3), dtype=np.int64)
    squares = np.einsum("nchw,nchw->c", pixels, pixels, dtype=np.int64)
    mean = total / count
    variance = squares / count - mean**2
    return mean, np.sqrt(np.where(variance > 0, variance, 1.0))


def standardised(images: Images, mean: Floats, std: Floats) -> npt.NDArray[np.float32]:
    """(pixel − mean) / std, channel by channel.

    Parameters
    ----------
    images : Images
    mean, std : (channels,) float64
        Of the training set, from ``channel_statistics``; std > 0.

    Returns
    -------
    (n, channels, height, width) float32

    Raises
    ------
    ShapeError

    Notes
    -----
    Four bytes a pixel, and nothing beside it. Relative precision about 2⁻²³ of the larger of
    pixel and mean, over std.
    """
    expected = images.pixels.shape[1:2]
    if not mean.shape == std.shape == expected:
        raise ShapeError(
            f"standardised: expected mean and std of shape {expected}, one number per channel, "
            f"got {mean.shape} and {std.shape}"
        )
    result = images.pixels.astype(np.float32)
    result -= mean.astype(np.float32)[:, None, None]
    result /= std.astype(np.float32)[:, None, None]
    return result
