"""The networks of a results directory answer as those that were saved."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional

import mini_exp
from tests.conftest import Project
from tests.results.conftest import STAGES


def test_networks_of_mini_answer_as_their_weights(tiny: Project) -> None:
    for name, variant in mini_exp.load_results(tiny.directory).items():
        x, _ = variant.tensors["test"]
        for stage in STAGES:
            network = getattr(variant, stage)
            saved = load_file(tiny.directory / name / f"{stage}.safetensors")
            expected = x.numpy()
            for layer in range(4):
                expected = expected @ saved[f"layers.{layer}.weight"].numpy().T
                if variant.settings.model.bias:
                    expected = expected + saved[f"layers.{layer}.bias"].numpy()
                if layer < 3:
                    expected = np.maximum(expected, 0)
            with torch.no_grad():
                answer = network(x)
            assert answer.shape == (len(x), 1)
            # Float64: another order of 30 sums.
            np.testing.assert_allclose(answer.numpy(), expected, rtol=1e-12, atol=1e-13)
            assert not network.training


def test_widths_of_mini_are_those_of_the_selection(tiny: Project) -> None:
    for variant in mini_exp.load_results(tiny.directory).values():
        for stage in STAGES:
            widths = [len(layer.weight) for layer in getattr(variant, stage).layers]
            assert widths == ([16, 12, 10, 1] if stage == "original" else [8, 3, 3, 1])


def test_networks_give_the_saved_scores(project: Project) -> None:
    for variant in mini_exp.load_results(project.directory).values():
        saved = variant.evaluation.set_index(["stage", "split"])
        for stage in STAGES:
            network = getattr(variant, stage)
            for split, (x, y) in variant.tensors.items():
                row = saved.loc[(stage, split)]
                with torch.no_grad():
                    logits = network(x).double()
                if logits.shape[1] == 1:
                    loss = functional.binary_cross_entropy_with_logits(logits[:, 0], y).item()
                    right = (logits[:, 0] > 0) == (y == 1)
                    assert loss == pytest.approx(row["loss"], rel=1e-12)
                else:  # in float32
                    loss = functional.cross_entropy(logits, y).item()
                    right = logits.argmax(dim=1) == y
                    assert loss == pytest.approx(row["loss"], rel=1e-5)
                assert right.sum().item() == round(row["accuracy"] * row["n"])
                assert len(y) == row["n"]
                parameters = sum(parameter.numel() for parameter in network.parameters())
                assert parameters == row["parameters"]


def test_channels_of_smaller_networks_are_the_kept_ones(digits: Project) -> None:
    for variant in mini_exp.load_results(digits.directory).values():
        for network in (variant.compressed, variant.finetuned):
            for layer, kept in variant.selection.items():
                weight = network.get_submodule(layer).get_parameter("weight")
                assert len(weight) == len(kept.index_set)


def test_loading_draws_no_random_number(project: Project) -> None:
    before = torch.get_rng_state()
    for variant in mini_exp.load_results(project.directory).values():
        assert variant.original is variant.original
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("inference", [False, True])
@pytest.mark.parametrize("stage", ["original", "compressed", "finetuned"])
def test_a_network_can_be_trained(tiny: Project, stage: str, inference: bool) -> None:
    with torch.inference_mode(inference):
        variant = next(iter(mini_exp.load_results(tiny.directory).values()))
        network = getattr(variant, stage)
    x = torch.randn(5, 30, dtype=torch.float64)
    network(x).square().mean().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
