"""Step finetune."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mini_exp.errors import TrainingError
from mini_exp.seeds import generator
from mini_exp.steps import finetune, select
from mini_exp.tasks.mini.data import mini_sample
from tests import oracles
from tests.steps.examples import (
    WIDTHS,
    biases_of,
    layer_outputs,
    moments_of,
    path_of,
    samples,
    settings,
    state,
    weights_of,
)


@pytest.fixture(scope="module")
def finished():
    """Settings, data, the three networks, the history and the scores."""
    config = settings(
        model={"widths": WIDTHS, "bias": True},
        data={"n_population": 500, "epsilon": 0.2},
        finetune={"epochs": 4, "batch_size": 8, "learning_rate": 0.01},
    )
    data, original = samples(), state(bias=True)
    moments = moments_of(config, original, data)
    selection, small = select.run(config, data, original, moments, path_of([[1, 1, 1]]))
    tuned, history, rows = finetune.run(config, data, original, selection, small)
    return data, {"original": original, "compressed": small, "finetuned": tuned}, history, rows


def test_finetune_trains_the_compressed_network_on(finished):
    data, stages, history, _ = finished
    order = generator(3, "finetune order").permuted(np.tile(np.arange(40), (4, 1)), axis=1)
    small, tuned = stages["compressed"], stages["finetuned"]
    weights, biases, _ = oracles.trained(
        weights_of(small), biases_of(small), *data["train"], order, 8, 0.01
    )
    # Two orders of the same sums, over 20 steps of Adam.
    for ours, theirs in zip(
        [*weights_of(tuned), *biases_of(tuned)], [*weights, *biases], strict=True
    ):
        assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)
    assert history["loss"].shape == (4,)


def test_finetune_scores_every_stage_on_every_split(finished):
    data, stages, _, rows = finished
    splits = {**data, "population": mini_sample(generator(3, "population"), 500, 0.2)}
    assert [(row.stage, row.split) for row in rows] == [
        (stage, split) for stage in stages for split in splits
    ]
    for row in rows:
        x, y = splits[row.split]
        loss, accuracy = oracles.scores(layer_outputs(stages[row.stage], x)[-1][:, 0], y)
        assert row.loss == pytest.approx(loss, rel=1e-10)
        assert row.accuracy == pytest.approx(accuracy, abs=1e-12)
        assert row.parameters == sum(tensor.numel() for tensor in stages[row.stage].values())
        assert row.n == len(y)


def test_the_last_epoch_agrees_with_the_scores(finished):
    _, _, history, rows = finished
    by_key = {(row.stage, row.split): row for row in rows}
    assert by_key["finetuned", "train"].loss == history["loss"][-1]
    assert by_key["finetuned", "test"].accuracy == history["test_accuracy"][-1]


def test_finetune_refuses_to_diverge():
    config = settings(data={"n_population": 5}, finetune={"epochs": 1, "learning_rate": 1e300})
    data, original = samples(), state(bias=False)
    moments = moments_of(config, original, data)
    selection, small = select.run(config, data, original, moments, path_of([[1, 1, 1]]))
    with pytest.raises(TrainingError, match="in epoch 1; expected a finite one"):
        finetune.run(config, data, original, selection, small)
