"""Step load-images: the training, validation and test set."""

from __future__ import annotations

from pathlib import Path

from mini_exp.config import ImageSettings
from mini_exp.datasets.cifar10 import cifar10_images, download_cifar10
from mini_exp.datasets.digits import digit_images
from mini_exp.datasets.images import split_images
from mini_exp.seeds import generator
from mini_exp.types import ImageSplits


def run(settings: ImageSettings) -> tuple[ImageSplits]:
    """Return the three sets; the validation set is cut from the training set.

    Raises
    ------
    ArtifactError
        If CIFAR-10's files are missing or damaged.
    DomainError
        If there are fewer images than asked for.
    """
    data = settings.data
    rng = generator(settings.seed, "data")
    if data.root is None:
        train, test = digit_images(rng)
    else:
        root = Path(data.root)
        if data.download:
            download_cifar10(root)
        train, test = cifar10_images(root)
    train, validation = split_images(train, data.n_validation, rng, data.n_train)
    return (ImageSplits(train, validation, test),)
