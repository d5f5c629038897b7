"""The comparison: equal widths, independent tables, resumption."""

import io
import json
import math

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from torch import nn

from mini_exp.compare import methods, networks, tables
from mini_exp.compare.methods import METHODS, SPECTRAL, TORCH_PRUNING, Candidates
from mini_exp.image_networks import ResNet, digits_cnn
from mini_exp.pruning.selection import uniform_widths


@pytest.fixture(scope="module")
def candidates():
    torch.manual_seed(0)
    x, y = torch.randn(60, 1, 8, 8), torch.randint(0, 10, (60,))
    return Candidates(digits_cnn().eval(), x, y, 20, np.random.default_rng(0))


def widths_of(network):
    return [
        len(module.weight)
        for module in network.modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    ]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.label)
@pytest.mark.parametrize("widths", [[8, 8, 16, 16, 32], [15, 3, 31, 1, 63], [16, 16, 32, 32, 64]])
def test_every_method_gives_exactly_the_widths(candidates, method, widths):
    before = {name: value.clone() for name, value in candidates.network.state_dict().items()}
    pruned, seconds = candidates.pruned(method, np.array(widths))
    assert widths_of(pruned) == [*widths, 10]
    assert seconds >= 0
    assert pruned(candidates.x[:2]).shape == (2, 10)
    for name, value in candidates.network.state_dict().items():
        assert torch.equal(value, before[name])


def test_torch_pruning_on_a_residual_network_gives_the_same_shapes():
    torch.manual_seed(0)
    x, y = torch.randn(20, 3, 8, 8), torch.randint(0, 10, (20,))
    candidates = Candidates(ResNet(8).eval(), x, y, 10, np.random.default_rng(0))
    widths = uniform_widths(candidates.graph, 0.5)
    shapes = {
        method.label: [tuple(p.shape) for p in candidates.pruned(method, widths)[0].parameters()]
        for method in (SPECTRAL, *TORCH_PRUNING)
    }
    assert len({tuple(found) for found in shapes.values()}) == 1


def test_l1_keeps_the_largest_filters(candidates):
    weight = candidates.network.conv1.weight.detach()
    largest = weight.abs().sum(dim=(1, 2, 3)).argsort(descending=True)[:4].sort().values
    pruned, _ = candidates.pruned(methods.Method("L1 magnitude", "slice"), np.array([4] * 5))
    assert torch.equal(pruned.conv1.weight, weight[largest])


def test_magnitude_of_torch_pruning_is_the_group_norm(candidates):
    """Rows that write a channel and columns that read it, as its documentation says."""
    network = candidates.network
    norms = network.conv1.weight.detach().flatten(1).square().sum(1)
    norms = norms + network.conv2.weight.detach().transpose(0, 1).flatten(1).square().sum(1)
    kept = norms.argsort(descending=True)[:4].sort().values
    pruned, _ = candidates.pruned(TORCH_PRUNING[0], np.array([4, 16, 32, 32, 64]))
    assert torch.equal(pruned.conv1.weight, network.conv1.weight.detach()[kept])


def test_the_widest_uniform_network_is_the_widest(candidates):
    for unit in ("parameters", "flops"):
        costs = networks.network_costs(candidates.network, candidates.graph, unit)
        full = np.array([16, 16, 32, 32, 64])
        found = networks.widest_uniform(candidates, unit, 0.3)
        budget = 0.3 * costs.total(full)
        assert costs.total(found) <= budget
        every = [uniform_widths(candidates.graph, k / 1000) for k in range(1, 1001)]
        best = max(costs.total(w) for w in every if costs.total(w) <= budget)
        assert costs.total(found) == best


def test_intervals_are_scipys(compared_once):
    values = np.array([0.5, 0.7, 0.4, 0.65])
    low, high = stats.t.interval(0.9, 3, values.mean(), stats.sem(values))
    mean, half = tables.mean_interval(values, 0.9)
    assert (mean - half, mean + half) == pytest.approx((low, high), rel=1e-12)


def test_tables_follow_from_the_networks_rows(compared_once):
    folder = compared_once.directory / "compare"
    rows = pd.read_csv(folder / "networks.csv", keep_default_na=False)
    assert set(rows["widths"]) == {
        "all",
        "keep 0.5",
        *(f"{b}, {k}" for b in ("parameters 0.3", "flops 0.4") for k in ("exact", "uniform")),
    }
    assert set(rows["network"]) == {0, 1}
    summary = pd.read_csv(folder / "summary.csv", keep_default_na=False)
    for _, row in summary.iterrows():
        chosen = rows
        for key in ("widths", "method", "weights"):
            chosen = chosen[chosen[key] == row[key]]
        for stage in ("pruned", "finetuned"):
            values = chosen.loc[chosen["stage"] == stage, "test_accuracy"]
            if row["method"] != "original" and len(values):
                assert math.isclose(float(row[f"{stage}_test"]), values.mean())
    differences = pd.read_csv(folder / "differences.csv")
    one = differences.query("widths == 'keep 0.5' and stage == 'pruned'")
    spectral = rows.query("widths == 'keep 0.5' and stage == 'pruned'")
    ours = spectral.query("method == 'spectral θ=0.5' and weights == 'reconstruct'")
    for method in TORCH_PRUNING:
        theirs = spectral[spectral["method"] == method.name]
        expected = 100 * (ours["test_accuracy"].mean() - theirs["test_accuracy"].mean())
        found = one.loc[one["other"] == method.name, "difference"].item()
        assert found == pytest.approx(expected, abs=1e-9)


def test_budgets_are_judged_on_validation_images(compared_once):
    folder = compared_once.directory / "compare"
    rows = pd.read_csv(folder / "networks.csv", keep_default_na=False)
    ours = rows[(rows["method"] == SPECTRAL.name) & (rows["weights"] == SPECTRAL.weights)]
    budgets = pd.read_csv(folder / "budgets.csv")
    assert len(budgets) == 4
    for _, row in budgets.iterrows():
        accuracy = {
            kind: ours.loc[
                (ours["widths"] == f"{row['budget']}, {kind}") & (ours["stage"] == row["stage"]),
                "validation_accuracy",
            ].to_numpy()
            for kind in ("exact", "uniform")
        }
        difference = 100 * (accuracy["exact"] - accuracy["uniform"])
        assert row["difference"] == pytest.approx(difference.mean(), abs=1e-9)


def test_equal_widths_have_equal_sizes_and_budgets_hold(compared_once):
    rows = pd.read_csv(compared_once.directory / "compare" / "networks.csv", keep_default_na=False)
    sizes = rows.groupby(["network", "widths"])[["parameters", "flops"]].nunique()
    assert (sizes == 1).all().all()
    full = rows[rows["widths"] == "all"].iloc[0]
    for label, unit, share in (("parameters 0.3", "parameters", 0.3), ("flops 0.4", "flops", 0.4)):
        chosen = rows[rows["widths"].str.startswith(label)]
        assert (chosen[unit] <= share * full[unit]).all()


def test_a_second_comparison_does_nothing_and_a_lost_network_comes_back(compared):
    folder = compared.directory / "compare"
    before = (folder / "networks.csv").read_bytes()
    result = compared("compare")
    assert result.exit_code == 0, result.output
    assert result.stdout.count("there, skipped") == 2
    assert (folder / "networks.csv").read_bytes() == before
    (folder / "networks" / "001.csv").unlink()
    result = compared("compare")
    assert result.exit_code == 0, result.output
    assert result.stdout.count("there, skipped") == 1
    timings = ["latency_ms", "pruning_seconds"]
    old, new = (
        pd.read_csv(source, keep_default_na=False).drop(columns=timings)
        for source in (io.BytesIO(before), folder / "networks.csv")
    )
    pd.testing.assert_frame_equal(old, new)


def test_other_settings_start_anew(compared):
    ledger = json.loads((compared.directory / "compare" / "ledger.json").read_text())
    assert set(ledger["files"]) == {"000.csv", "001.csv"}
    result = compared(
        "compare", "--set", "finetune.learning_rate=1e-4", "--set", "compare.keep=[1]"
    )
    assert result.exit_code == 0, result.output
    assert "there, skipped" not in result.stdout
