"""Samples in every form: with classes, real values or no labels; and networks of others."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from mini_exp import load_results
from mini_exp.tasks.own.scores import fidelity_of
from mini_exp.tasks.own.task import SCALE, tensors
from tests.conftest import ROOT
from tests.tasks.own.examples import FEW, mini_exp, write_config, write_folders, write_image

RNG = np.random.default_rng(5)
X = RNG.standard_normal((90, 5)).astype(np.float32)
CLASSES = (X[:, 0] > 0).astype(np.int64) + (X[:, 1] > 0)
VALUES = X @ RNG.standard_normal(5).astype(np.float32)
PERCEPTRON = {"kind": "python", "factory": "my_network:perceptron"}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def evaluation(variant: str = "half") -> pd.DataFrame:
    return pd.read_csv(f"results/own/{variant}/evaluation.csv").set_index(["stage", "split"])


def run(command: str = "run", *options: str) -> str:
    result = mini_exp(command, "own.yaml", *options)
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    return result.stdout


def test_arrays_of_classes(here):
    np.savez("x.npz", x=X, y=CLASSES)
    model = {**PERCEPTRON, "arguments": {"n_outputs": 3}}
    write_config(
        here,
        data={"kind": "arrays", "train": "x.npz", "n_validation": 30},
        model=model,
        train={"epochs": 30, "learning_rate": 0.02},
    )
    run()
    rows = evaluation()
    assert rows.loc[("original", "validation"), "accuracy"] > 0.7
    assert rows.loc[("original", "train"), "n"] == 60
    assert "mean cross-entropy of the classes" in Path("results/own/report.md").read_text("utf-8")


def test_arrays_of_real_values(here):
    np.savez("x.npz", x=X, y=VALUES)
    np.savez("t.npz", x=X[:20], y=VALUES[:20])
    data = {"kind": "arrays", "train": "x.npz", "test": "t.npz"}
    write_config(here, data=data, model=PERCEPTRON, train={"epochs": 40, "learning_rate": 0.02})
    run()
    rows = evaluation()
    variant = load_results("results/own")["half"]
    with torch.no_grad():
        outputs = variant.original(torch.from_numpy(X[:20]))[:, 0].double().numpy()
    expected = ((outputs - VALUES[:20]) ** 2).mean()
    assert rows.loc[("original", "test"), "loss"] == pytest.approx(expected, rel=1e-6)  # float32
    assert rows.loc[("original", "test"), "loss"] < VALUES.var() / 4
    assert rows["accuracy"].isna().all()
    table = pd.read_csv("results/own/table1.csv")
    assert table["measure"].tolist() == ["test loss", "test divergence", "parameters"]
    assert "mean squared error from y" in Path("results/own/report.md").read_text("utf-8")


@pytest.mark.parametrize("y", [CLASSES, CLASSES.astype(np.uint8), CLASSES > 0])
def test_integers_are_classes_unless_the_loss_says_otherwise(here, y):
    np.savez("x.npz", x=X, y=y)
    for loss, kind in ((None, "i"), ("cross_entropy", "i"), ("squared_error", "f")):
        write_config(here, data={"kind": "arrays", "train": "x.npz", "loss": loss})
        run("load-data")
        with np.load("results/own/half/dataset.npz") as file:
            assert file["y_train"].dtype.kind == kind


def test_arrays_have_a_validation_set_of_their_own(here):
    np.savez("x.npz", x=X, y=CLASSES)
    np.savez("v.npz", x=X[:7], y=CLASSES[:7])
    write_config(here, data={"kind": "arrays", "train": "x.npz", "validation": "v.npz"})
    run("load-data")
    with np.load("results/own/half/dataset.npz") as file:
        assert np.array_equal(file["X_validation"], X[:7])
        assert np.array_equal(np.sort(file["X_train"], axis=0), np.sort(X, axis=0))


@pytest.mark.parametrize("kind", ["folder", "arrays"])
def test_without_labels_networks_are_scored_against_the_original(here, kind):
    if kind == "folder":
        for i in range(60):
            write_image(here / "images" / f"{i}.png", 40 + 3 * i, seed=i)
        data, model = {"kind": "folder", "train": "images", "test": None}, None
    else:
        np.savez("x.npz", x=X)
        data = {"kind": "arrays", "train": "x.npz"}
        model = {**PERCEPTRON, "arguments": {"n_outputs": 3}}
    changes = {} if model is None else {"model": model}
    write_config(here, data=data, **changes)
    output = run("prune")
    assert "validation divergence" in output
    rows = evaluation()
    assert rows[["loss", "accuracy"]].isna().all().all()
    assert (rows.loc["original", "divergence"] == 0).all()
    assert (rows.loc["compressed", "divergence"] > 0).all()
    assert rows.loc["compressed"].equals(rows.loc["finetuned"])
    variant = load_results("results/own")["half"]
    x, _ = variant.tensors["validation"]
    with torch.no_grad():
        log_p, log_q = (
            one(x).double().log_softmax(dim=1) for one in (variant.original, variant.compressed)
        )
    expected = float((log_p.exp() * (log_p - log_q)).sum(dim=1).mean())
    # Float64 of float32 logits, summed in another order.
    assert rows.loc[("compressed", "validation"), "divergence"] == pytest.approx(expected, rel=1e-9)
    assert "There are no labels" in Path("results/own/report.md").read_text(encoding="utf-8")


def test_a_single_array_is_x(here):
    np.save("x.npy", X)
    write_config(here, data={"kind": "arrays", "train": "x.npy"}, finetune={"epochs": 0})
    run("load-data")
    with np.load("results/own/half/dataset.npz") as file:
        assert file["y_train"].shape == (72, 0)


def test_your_own_network_is_not_compared(here):
    write_folders(here)
    result = mini_exp("compare", str(write_config(here)))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "data.kind: compare is for digits or cifar10, got folder" in result.stderr


def test_without_labels_nothing_is_trained(here):
    np.savez("x.npz", x=X)
    write_config(here, data={"kind": "arrays", "train": "x.npz"}, model=PERCEPTRON)
    result = mini_exp("run", "own.yaml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("mini-exp: finetune.epochs: expected 0, since data.train has")
    assert not Path("results").exists()


def test_fidelity_of_real_values_is_the_mean_squared_difference():
    reference, outputs = torch.tensor([[1.0], [3.0]]), torch.tensor([[2.0], [1.0]])
    divergence, agreement = fidelity_of(reference, outputs, classes=False)
    assert divergence == (1 + 4) / 2
    assert math.isnan(agreement)


@pytest.mark.parametrize(
    ("normalise", "expected"),
    [
        ({}, (128 / 255, 0.0, 1.0)),
        ({"mean": [0.5], "std": [0.25]}, ((128 / 255 - 0.5) / 0.25, -2.0, 2.0)),
        ({"mean": [0.0, 0.5, 1.0]}, (128 / 255, -0.5, 0.0)),
        ({"std": [1.0, 2.0, 4.0]}, (128 / 255, 0.0, 0.25)),
    ],
)
def test_channels_are_normalised(here, normalise, expected):
    pixels = np.zeros((20, 3, 4, 4), np.uint8)
    pixels[:, 0], pixels[:, 2] = 128, 255
    np.savez("x.npz", x=pixels)
    data = {"kind": "arrays", "train": "x.npz", "normalise": normalise}
    write_config(here, data=data, finetune={"epochs": 0})
    run("load-data")
    with np.load("results/own/half/dataset.npz") as file:
        names = ("train", SCALE)
        stored = {name: (file[f"X_{name}"], file[f"y_{name}"]) for name in names}
    x, _ = tensors(stored, nn.Linear(1, 1))["train"]
    assert x[0, :, 1, 2].tolist() == pytest.approx(expected, abs=1e-6)  # float32


def test_a_number_too_few_to_normalise_with_is_refused(here):
    np.savez("x.npz", x=X)
    data = {"kind": "arrays", "train": "x.npz", "normalise": {"mean": [0.0, 0.0]}}
    write_config(here, data=data, finetune={"epochs": 0})
    result = mini_exp("run", "own.yaml")
    assert result.exit_code == 2
    assert "data.normalise.mean: expected one number, or one for each of 5 chan" in result.stderr


def test_mixed_sizes_are_scaled_and_cut(here):
    write_folders(here)
    write_image(here / "train" / "apple" / "wide.png", 200, (40, 20))
    data = {"kind": "folder", "train": "train", "test": "test", "size": 8, "mixed_sizes": True}
    write_config(here, data=data)
    run("load-data")
    with np.load("results/own/half/dataset.npz") as file:
        assert file["X_train"].shape[1:] == (3, 8, 8)


def test_prune_trains_nothing(here):
    write_folders(here)
    write_config(here, train={"epochs": 2})
    run("prune")
    for name in ("history.csv", "finetune_history.csv"):
        assert len(pd.read_csv(f"results/own/half/{name}")) == 0
    state = load_file("results/own/half/compressed.safetensors")
    tuned = load_file("results/own/half/finetuned.safetensors")
    assert all(torch.equal(tuned[name], state[name]) for name in state)


def test_prune_is_for_networks_of_your_own():
    result = mini_exp("prune", str(ROOT / "configs" / "digits.yaml"))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "model.kind: prune is for python, networks of your own, got digits_cnn" in result.stderr


@pytest.mark.parametrize("epochs", ["train.epochs", "finetune.epochs"])
def test_other_networks_are_trained(tmp_path, epochs):
    result = mini_exp("validate", str(ROOT / "configs" / "digits.yaml"), "--set", f"{epochs}=0")
    assert result.exit_code == 2
    assert f"{epochs}: expected at least 1, got 0" in result.stderr


# Networks of others

NETWORKS = ROOT.parent / "shared" / "networks"
CART_POLE = NETWORKS / "rl_trained_agents"


@pytest.mark.skipif(not CART_POLE.is_dir(), reason="the networks of others are not here")
def test_a_network_of_others_is_pruned_from_its_file(here, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path])
    states = np.load(CART_POLE / "dqn_CartPole-v1_states.npy", allow_pickle=False)
    np.savez("states.npz", x=states.astype(np.float32))
    config = {
        "name": "own",
        "data": {"kind": "arrays", "train": "states.npz"},
        "model": {
            "kind": "python",
            "factory": "scripts.foreign.networks:cart_pole_values",
            "weights": str(CART_POLE / "dqn_CartPole-v1.safetensors"),
        },
        **FEW,
        "finetune": {"epochs": 0},
        "variants": {"half": {}},
    }
    Path("own.yaml").write_text(json.dumps(config), encoding="utf-8")
    run()
    state = load_file("results/own/half/original.safetensors")
    given = load_file(CART_POLE / "dqn_CartPole-v1.safetensors")
    assert all(torch.equal(state[name], given[name]) for name in given)
    rows = evaluation()
    smaller = rows.loc[("compressed", "validation")]
    assert smaller["parameters"] < 0.3 * rows.loc[("original", "validation"), "parameters"]
    assert smaller["agreement"] > 0.9
