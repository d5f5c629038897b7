"""Step gen-mini: draw the data set (4.3.1)."""

from __future__ import annotations

from mini_exp.config import Settings
from mini_exp.datasets.mini import mini_dataset
from mini_exp.seeds import generator
from mini_exp.types import Dataset


def run(settings: Settings) -> tuple[Dataset]:
    """Return the training and the test set of replicate 0."""
    data = settings.data
    rng = generator(settings.seed, "data")
    return (mini_dataset([rng], data.n_train, data.n_test, data.epsilon, data.labels),)
