"""From saved parameters back to networks, through all steps."""

import numpy as np
import pytest
import torch

from mini_exp.errors import ArtifactError
from mini_exp.settings.settings import Settings
from mini_exp.steps import covariance, finetune, select, train
from tests.steps.examples import path_of, samples, settings, state


@pytest.mark.parametrize(
    "other",
    [
        state(bias=True),
        state(bias=False, widths=(7, 6, 4)),
        {"../weight": torch.ones(1)},
        {},
    ],
    ids=["with biases", "other widths", "other names", "nothing"],
)
def test_parameters_of_another_network_are_refused(other):
    with pytest.raises(ArtifactError, match="the saved network: does not fit MiniModel"):
        covariance.run(settings(), other, samples())


def test_biases_that_an_intercept_gives_a_resnet_pass_through_all_steps():
    rng = np.random.default_rng(0)
    samples = {
        split: (rng.integers(0, 256, (n, 3, 32, 32), dtype=np.uint8), rng.integers(0, 10, n))
        for split, n in (("train", 40), ("validation", 20), ("test", 20))
    }
    settings = Settings.model_validate(
        {
            "data": {"kind": "cifar10", "root": "unused"},
            "model": {"kind": "resnet", "depth": 8},
            "train": {"epochs": 1},
            "finetune": {"epochs": 1},
            "covariance": {"n_samples": 20, "flattened": False},
            "compress": {"intercept": True},
        }
    )
    original, _ = train.run(settings, samples)
    (moments,) = covariance.run(settings, original, samples)
    selection, compressed = select.run(settings, samples, original, moments, path_of([[1]]))
    grown = {name for name in compressed if name not in original}
    assert grown
    assert {name.rpartition(".")[2] for name in grown} == {"bias"}
    finetuned, _, rows = finetune.run(settings, samples, original, selection, compressed)
    assert finetuned.keys() == compressed.keys()
    assert {row.stage for row in rows} == {"original", "compressed", "finetuned"}
