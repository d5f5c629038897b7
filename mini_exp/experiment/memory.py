"""Counts that cannot fit into memory are refused before anything is written."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from mini_exp.errors import ConfigError
from mini_exp.resources import usable_memory
from mini_exp.settings.config import Config
from mini_exp.settings.settings import Settings
from mini_exp.tasks.mini.settings import FullyConnected, Mini

DRAW = 1300  # bytes per draw of MINI while one is drawn: 1170 seen, rounded up
ORDER = 8  # bytes per sample and epoch, of the order of the samples
RHO = 200  # bytes per ρ and layer: λ, N(λ), m̂, and the table
WEIGHT = 48  # bytes per weight: its value, gradient, Adam's two moments, and a copy
ENTRY = 32  # bytes per entry of Σ: with its eigenvectors and what they are made in


def check_memory(config: Config) -> None:
    """Refuse counts of which one alone needs more memory than this process may take.

    Raises
    ------
    ConfigError
        Naming the key, what it needs and what is free.
    """
    free = usable_memory()
    for variant, settings in config.variants.items():
        for key, count, needed in _needs(settings):
            if needed > free:
                raise ConfigError(
                    f"{variant}: {key}: {count} needs {needed / 1e9:,.0f} GB of memory, "
                    f"{free / 1e9:.1f} GB are free; use a smaller one"
                )


def _needs(settings: Settings) -> Iterator[tuple[str, int, float]]:
    """Keys, their values and the bytes that they need at least."""
    yield "width.rho.num", settings.width.rho.num, RHO * settings.width.rho.num
    data, model = settings.data, settings.model
    if isinstance(data, Mini):
        for name in ("n_train", "n_test", "n_population"):
            count = getattr(data, name)
            yield f"data.{name}", count, DRAW * count
        for name in ("train", "finetune"):
            epochs = getattr(settings, name).epochs
            yield f"{name}.epochs", epochs, ORDER * epochs * data.n_train
    if isinstance(model, FullyConnected):
        sizes = (*data.shape, *model.widths, data.n_outputs)
        pairs = itertools.pairwise(sizes)
        weights = WEIGHT * sum(one * other for one, other in pairs)
        widest = max(model.widths)
        yield "model.widths", widest, float(max(weights, ENTRY * widest**2))
