"""What instruments look at is what the study and the run have."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from mini_exp.diagnostics.stages import STAGES
from mini_exp.study.replicates import block
from tests import oracles


def parameters(network, r):
    layers = network.replicate(r).stacked_layers
    biases = [layer.bias.detach().numpy() for layer in layers if layer.bias is not None]
    return [layer.weight.detach().numpy() for layer in layers], biases


def test_stages_are_those_of_the_study(config, block_of, stages):
    _, settings, data = block_of
    columns = block(settings, config.study, 50, data)
    for stage in STAGES:
        accuracy = (stages.logits(stage, "population") > 0) == (stages.labels("population") > 0.5)
        assert_array_equal(accuracy.mean(axis=1), columns[f"{stage}_population_accuracy"])


@pytest.mark.parametrize("stage", STAGES)
def test_outputs_are_those_of_a_forward_pass(stages, stage):
    for r in (0, 17):
        expected = oracles.forward(
            *parameters(stages.networks[stage], r), stages.data["test"][0][r]
        )
        own = [*stages.hidden_outputs(stage, "test"), stages.logits(stage, "test")[..., None]]
        for layer, outputs in zip(own, expected, strict=True):
            assert_allclose(layer[r], outputs, rtol=1e-10, atol=1e-12)


def test_zeros_for_what_was_removed_change_nothing(stages):
    padded = stages.zero_padded("finetuned")
    assert padded.widths == stages.networks["original"].widths
    with torch.no_grad():
        logits = padded(torch.from_numpy(stages.data["test"][0]))[..., 0].numpy()
    assert_allclose(logits, stages.logits("finetuned", "test"), rtol=1e-12, atol=1e-14)


def test_padded_units_stand_where_they_were(stages):
    padded = stages.zero_padded("compressed").stacked_layers[0].weight.detach().numpy()
    for r, kept in enumerate(stages.index_sets()[0]):
        assert set(np.flatnonzero(np.abs(padded[r]).sum(axis=1))) <= set(kept.tolist())


@pytest.mark.parametrize("stage", ["original", "finetuned"])
def test_training_anew_ends_at_the_stage(stages, stage):
    first, last = stages.during(stage, [1, 3])
    assert_array_equal(
        last.stacked_layers[0].weight.detach(),
        stages.networks[stage].stacked_layers[0].weight.detach(),
    )
    assert not torch.equal(first.stacked_layers[0].weight, last.stacked_layers[0].weight)
