"""Step finetune: train the smaller network on, and score all three (section 4.3, step 6)."""

from __future__ import annotations

import torch

from mini_exp.config import Settings
from mini_exp.datasets.mini import mini_sample
from mini_exp.networks import to
from mini_exp.seeds import generator
from mini_exp.training import (
    OnEpoch,
    checked,
    refuse_diverged,
    sample_orders,
    scores,
    trained_networks,
)
from mini_exp.types import Dataset, Evaluation, History, Networks


def run(
    settings: Settings,
    dataset: Dataset,
    original: Networks,
    compressed: Networks,
    on_epoch: OnEpoch | None = None,
) -> tuple[Networks, History, list[Evaluation]]:
    """Return the fine-tuned network, its history, and the scores of every stage.

    Raises
    ------
    TrainingError
        If it diverges.
    """
    finetune = settings.finetune
    rng = generator(settings.seed, "finetune order")
    orders = sample_orders([rng], finetune.epochs, dataset.x_train.shape[1])
    start = to(compressed, settings.device, getattr(torch, settings.dtype))
    finetuned, history = trained_networks(
        start, dataset, orders, finetune.batch_size, finetune.learning_rate, on_epoch
    )
    checked(history)
    refuse_diverged(finetuned, dataset.x_train)

    data = settings.data
    population = mini_sample(
        generator(settings.seed, "population"), data.n_population, data.epsilon, data.labels
    )
    splits = {
        "train": (dataset.x_train, dataset.y_train),
        "test": (dataset.x_test, dataset.y_test),
        # Drawn again rather than stored: a fifth of a second against 24 MB.
        "population": (population[0][None], population[1][None]),
    }
    stages = {"original": original, "compressed": compressed, "finetuned": finetuned}
    evaluations = []
    for stage, networks in stages.items():
        for split, (x, y) in splits.items():
            loss, accuracy = scores(networks, x, y)
            evaluations.append(
                Evaluation(
                    stage,
                    split,
                    float(loss[0]),
                    float(accuracy[0]),
                    networks.n_parameters,
                    x.shape[1],
                )
            )
    return finetuned, history, evaluations
