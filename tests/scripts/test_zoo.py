"""scripts/zoo.py on tiny networks: rows, the oracle, limits and tables; nothing is downloaded."""

from __future__ import annotations

import copy
import json
import subprocess
from pathlib import Path

import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from torch import nn

import mini_exp
from mini_exp.errors import NetworkError
from scripts import zoo, zoo_trials
from scripts.zoo_oracle import NotASliceError, difference_from_masked, surviving_mask
from scripts.zoo_peer import heads, ignored_layers
from scripts.zoo_trials import (
    TOLERANCE,
    make_nontrivial,
    multiply_accumulates,
    own_trial,
    peer_trial,
)

ROUNDING = 1e-5  # of float32 sums over at most 128 terms
KEPT = [0, 3, 4]


def images(n_samples: int) -> torch.Tensor:
    return torch.randn(n_samples, 3, 8, 8)


def tiny_network(n_units: int = 6) -> nn.Sequential:
    """Of a form that everybody prunes: convolution, norm, pooling, classifier."""
    return nn.Sequential(
        nn.Conv2d(3, n_units, 3),
        nn.BatchNorm2d(n_units),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(n_units, 5),
    )


def nontrivial_network() -> nn.Sequential:
    torch.manual_seed(0)
    network = tiny_network()
    make_nontrivial(network, images(8))
    return network


def sliced_network(network: nn.Sequential) -> nn.Sequential:
    """The same by hand with three of its six units."""
    smaller = tiny_network(len(KEPT)).eval()
    with torch.no_grad():
        for name, value in smaller.state_dict().items():
            larger = network.state_dict()[name]
            if name == "5.weight":
                larger = larger[:, KEPT]
            elif value.shape != larger.shape:
                larger = larger[KEPT]
            value.copy_(larger)
    return smaller


def given_result(monkeypatch: pytest.MonkeyPatch, smaller: nn.Module) -> None:
    """Let `prune` return this network."""
    monkeypatch.setattr(mini_exp, "prune", lambda *_, **__: (smaller, None))


def fail_in_training(module: nn.Module, _: object) -> None:
    if module.training:
        raise RuntimeError("no branch for training")


# The oracle


def test_the_oracle_agrees_with_a_network_sliced_by_hand() -> None:
    network = nontrivial_network()
    assert difference_from_masked(network, sliced_network(network), images(4)) < ROUNDING


@pytest.mark.parametrize("wrong", ["5.weight", "1.running_mean", "0.weight", "1.bias"])
def test_the_oracle_sees_units_in_another_order(wrong: str) -> None:
    network = nontrivial_network()
    smaller = sliced_network(network)
    values = smaller.state_dict()[wrong]
    values.copy_(values.flip(1 if wrong == "5.weight" else 0))
    assert difference_from_masked(network, smaller, images(4)) > TOLERANCE


def test_the_oracle_takes_statistics_that_were_estimated_again() -> None:
    network = nontrivial_network()
    smaller = sliced_network(network)
    smaller[1].running_mean.add_(torch.rand(len(KEPT)))
    assert difference_from_masked(network, smaller, images(4)) < ROUNDING


def test_values_that_the_original_lacks_are_no_slice() -> None:
    network = nontrivial_network()
    smaller = sliced_network(network)
    with torch.no_grad():
        smaller[5].weight.mul_(2)
    with pytest.raises(NotASliceError, match=r"^5\.weight$"):
        difference_from_masked(network, smaller, images(4))


def test_every_group_of_a_grouped_convolution_may_keep_other_inputs() -> None:
    weight = torch.randn(4, 3, 2, 2)
    inputs = [[0, 1], [0, 1], [1, 2], [1, 2]]
    smaller = torch.stack([weight[row, columns] for row, columns in enumerate(inputs)])
    expected = torch.zeros(4, 3, 2, 2, dtype=torch.bool)
    for row, columns in enumerate(inputs):
        expected[row, columns] = True
    assert torch.equal(surviving_mask(weight, smaller), expected)


# What a trial begins with, and what it counts


def test_norms_are_made_nontrivial_and_random_weights_stay() -> None:
    torch.manual_seed(0)
    network = tiny_network()
    network[0].bias.data.zero_()
    before = copy.deepcopy(network)
    make_nontrivial(network, images(8))
    assert torch.equal(network[0].weight, before[0].weight)
    for values in (network[0].bias, network[1].weight, network[1].bias, network[1].running_mean):
        assert len(values.unique()) == 6
    assert network[1].momentum == before[1].momentum
    assert not network.training


def test_multiply_accumulates_of_attention_are_counted() -> None:
    network = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    projections, products, mlp = 4 * 8 * 8, 2 * 5 * 8, 2 * 8 * 16  # of each of five tokens
    assert multiply_accumulates(network, torch.randn(1, 5, 8)) == 5 * (projections + products + mlp)


# Rows


def test_a_network_that_is_covered() -> None:
    row = own_trial(nontrivial_network(), images)
    assert (row["result"], row["shapes"], row["training"]) == ("covered", "right", "works")
    assert row["difference"] < ROUNDING
    n_before, n_after = (n * 28 + 2 * n + 5 * n + 5 for n in (6, 3))
    assert row["parameters_removed"] == pytest.approx(100 * (1 - n_after / n_before))
    assert row["macs_removed"] == pytest.approx(50)


def test_a_refusal_gives_its_reason_on_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise NetworkError("softmax (0.1): not covered\nmore")

    monkeypatch.setattr(mini_exp, "prune", refuse)
    row = own_trial(nontrivial_network(), images)
    assert row == {"result": "refused", "reason": "softmax (0.1): not covered"}


def test_another_error_is_a_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyError("weight")

    monkeypatch.setattr(mini_exp, "prune", fail)
    row = own_trial(nontrivial_network(), images)
    assert row == {"result": "broken", "reason": "KeyError: 'weight'"}


def test_other_shapes_are_a_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    smaller = nontrivial_network()
    smaller[5] = nn.Linear(6, 4)
    given_result(monkeypatch, smaller)
    row = own_trial(nontrivial_network(), images)
    assert row["result"] == "broken"
    assert row["reason"] == "BrokenError: outputs: expected 3 × 5, got 3 × 4"


def test_a_network_that_cannot_be_trained_is_a_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    smaller = sliced_network(nontrivial_network())
    smaller[1].register_forward_pre_hook(fail_in_training)
    given_result(monkeypatch, smaller)
    row = own_trial(nontrivial_network(), images)
    assert (row["result"], row["shapes"]) == ("broken", "right")
    assert row["reason"] == "RuntimeError: no branch for training"


def test_nothing_removed_counts_as_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    network = nontrivial_network()
    given_result(monkeypatch, copy.deepcopy(network))
    row = own_trial(network, images)
    assert (row["result"], row["reason"]) == ("refused", "nothing was removed")


def test_other_outputs_are_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    network = nontrivial_network()
    smaller = sliced_network(network)
    smaller[1].weight.data.copy_(smaller[1].weight.data.flip(0))
    given_result(monkeypatch, smaller)
    row = own_trial(network, images)
    assert (row["result"], row["reason"]) == ("wrong", "differs from the masked original")


def test_torch_pruning_removes_half_of_the_units() -> None:
    row = peer_trial(nontrivial_network(), images)
    assert row["peer"] == "works"
    assert row["peer_macs_removed"] == pytest.approx(50)
    assert "peer_reason" not in row


def test_torch_pruning_has_nothing_to_remove_from_a_classifier() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(192, 5))
    row = peer_trial(network, images)
    assert row == {"peer": "refused", "peer_reason": "nothing was removed"}


def test_heads_and_classifiers_are_known_to_torch_pruning() -> None:
    attention = nn.Module()
    attention.num_heads = 4
    attention.qkv = nn.Linear(8, 24)
    network = nn.Sequential(attention, nn.Linear(8, 5), nn.Linear(8, 6))
    assert heads(network) == {attention.qkv: 4}
    assert ignored_layers(network, n_classes=5) == [network[1]]


# Processes


def finished(code: int, output: str = "", errors: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.CompletedProcess([], code, output, errors)


def test_a_trial_is_the_last_line_of_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"result": "covered"}
    process = finished(0, f"a library's remark\n{json.dumps(row)}\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: process)
    assert zoo.trial("own", "timm", "vit", 1) == row


def test_a_trial_over_its_time_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: object, **options: float) -> None:
        raise subprocess.TimeoutExpired(str(command), options["timeout"])

    monkeypatch.setattr(subprocess, "run", run)
    stopped = {"peer": "stopped", "peer_reason": "more than 5 s"}
    assert zoo.trial("peer", "timm", "vit", 5) == stopped


def test_a_trial_that_is_killed_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: finished(-9))
    stopped = {"result": "stopped", "reason": "signal 9"}
    assert zoo.trial("own", "timm", "vit", 1) == stopped


def test_a_network_that_is_not_built_gives_the_last_line(monkeypatch: pytest.MonkeyPatch) -> None:
    process = finished(1, errors="Traceback\nImportError: no torch\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: process)
    stopped = {"result": "stopped", "reason": "ImportError: no torch"}
    assert zoo.trial("own", "timm", "vit", 1) == stopped


def test_the_process_prints_a_row_as_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    family = zoo_trials.LIBRARIES["timm"]["vit"]._replace(network=tiny_network, batch=images)
    monkeypatch.setitem(zoo_trials.LIBRARIES["timm"], "vit", family)
    monkeypatch.setattr(zoo_trials.resource, "setrlimit", lambda *_: None)
    zoo_trials.main("own", "timm", "vit")
    assert json.loads(capsys.readouterr().out)["result"] == "covered"


# Tables


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials without networks, libraries that are all installed."""
    rows = {
        "own": {"result": "covered", "agreement": 1.25e-6, "seconds": 2.0},
        "peer": {"peer": "broken", "peer_reason": "RuntimeError: a | b"},
    }
    monkeypatch.setattr(zoo, "trial", lambda kind, *_: rows[kind])
    monkeypatch.setattr(zoo.importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(zoo, "version", lambda _: "1.0")


@pytest.mark.usefixtures("tried")
def test_a_family_at_a_time_gives_the_rows_in_the_order_of_the_list(tmp_path: Path) -> None:
    for family in ("bert", "swin_v2", "alexnet", "bert"):
        result = CliRunner().invoke(zoo.main, ["--family", family, "--results", str(tmp_path)])
        assert result.exit_code == 0, result.output
    table = pd.read_csv(tmp_path / "zoo.csv")
    assert table["family"].tolist() == ["alexnet", "swin_v2", "bert"]
    assert table["agreement"].tolist() == [1.25e-6] * 3


@pytest.mark.usefixtures("tried")
def test_the_page_counts_every_result_by_library(tmp_path: Path) -> None:
    arguments = ["--library", "transformers", "--results", str(tmp_path)]
    result = CliRunner().invoke(zoo.main, arguments)
    assert result.exit_code == 0, result.output
    page = (tmp_path / "zoo.md").read_text(encoding="utf-8")
    assert "| transformers | 5 | 5 | 0 | 0 | 0 | 0 | 0 | 0 | 5 | 0 |" in page
    assert r"| 1e-06 |  |  |  |  |  | 2.0 | broken | RuntimeError: a \| b |  |  |" in page


@pytest.mark.usefixtures("tried")
def test_a_family_that_is_not_in_the_zoo(tmp_path: Path) -> None:
    arguments = ["--library", "timm", "--family", "bert", "--results", str(tmp_path)]
    result = CliRunner().invoke(zoo.main, arguments)
    assert result.exit_code == 2
    assert "expected families of the zoo, got bert" in result.stderr
    assert not list(tmp_path.iterdir())


def test_a_library_that_is_not_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(zoo.importlib.util, "find_spec", lambda _: None)
    result = CliRunner().invoke(zoo.main, ["--library", "timm", "--results", str(tmp_path)])
    assert result.exit_code == 1
    assert result.stderr == "Error: timm: not installed; make zoo installs them\n"
