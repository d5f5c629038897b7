"""Step train: fit the network on the training images (section 4.3, step 1)."""

from __future__ import annotations

from mini_exp.config import ImageSettings
from mini_exp.image_networks import new_network
from mini_exp.image_training import fitted, seeded, state_of, tensors
from mini_exp.training import OnEpoch
from mini_exp.types import ImageHistory, ImageSplits, NetworkState


def run(
    settings: ImageSettings, splits: ImageSplits, on_epoch: OnEpoch | None = None
) -> tuple[NetworkState, ImageHistory]:
    """Return the trained network and its scores after every epoch.

    Raises
    ------
    TrainingError
        If it diverges.
    """
    with seeded(settings.seed, "weights"):
        start = new_network(settings.model.kind, settings.model.depth).to(settings.device)
    data = tensors(splits, settings.device)
    with seeded(settings.seed, "train order") as rng:
        network, history = fitted(start, data, settings.train, rng, on_epoch)
    return state_of(network), history
