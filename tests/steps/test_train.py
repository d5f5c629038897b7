"""Step train."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from mini_exp.errors import TrainingError
from mini_exp.seeds import generator
from mini_exp.steps import train
from mini_exp.tasks.mini.network import initial_stack
from tests import oracles
from tests.steps.examples import WIDTHS, biases_of, samples, settings, weights_of


@pytest.mark.parametrize("bias", [True, False])
def test_train_fits_the_model_of_the_settings(bias):
    config = settings(
        model={"widths": WIDTHS, "bias": bias},
        train={"epochs": 3, "batch_size": 16, "learning_rate": 0.01},
    )
    data = samples()
    x, y = data["train"]
    trained, history = train.run(config, data)
    start = initial_stack((30, *WIDTHS, 1), bias, [generator(3, "weights")]).replicate(0)
    order = generator(3, "train order").permuted(np.tile(np.arange(40), (3, 1)), axis=1)
    before = start.state_dict()
    weights, biases, logits = oracles.trained(
        weights_of(before), biases_of(before), x, y, order, 16, 0.01
    )
    expected = [*weights, *biases]
    # Two orders of the same sums, over 9 steps of Adam.
    for ours, theirs in zip([*weights_of(trained), *biases_of(trained)], expected, strict=True):
        assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)
    losses = [oracles.scores(epoch, y)[0] for epoch in logits]
    assert_allclose(history["loss"], losses, rtol=1e-10)


def test_train_hears_every_epoch():
    heard = []
    config = settings(train={"epochs": 2})
    _, history = train.run(config, samples(), on_epoch=lambda *news: heard.append(news))
    assert [news[:2] for news in heard] == [(1, 2), (2, 2)]
    assert [loss for _, _, loss in heard] == history["loss"].tolist()


def test_train_refuses_to_diverge():
    with pytest.raises(TrainingError, match="in epoch 1; expected a finite one"):
        train.run(settings(train={"epochs": 1, "learning_rate": 1e300}), samples())


def test_train_in_single_precision_returns_what_double_precision_holds():
    trained, _ = train.run(settings(dtype="float32", train={"epochs": 1}), samples())
    for tensor in trained.values():
        assert tensor.dtype == torch.float64
        assert torch.equal(tensor, tensor.float().double())
