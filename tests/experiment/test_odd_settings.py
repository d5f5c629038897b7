"""Settings at the edge of what is valid, through a whole run."""

import os

import numpy as np
import pytest
import torch
import yaml

from mini_exp.report import drawing
from tests.blank_figures import blank_file
from tests.experiment.running import VARIANTS, failed, succeeded, tensors


def test_float32_is_stored_as_float64(small):
    succeeded(small("run", "--set", "dtype=float32"))
    for variant in VARIANTS:
        for stage in ("original", "finetuned"):
            for tensor in tensors(small, variant, stage).values():
                assert tensor.dtype == np.float64
                assert (tensor == tensor.astype(np.float32)).all()


def test_cuda_without_a_gpu_exits_2(empty, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    message = failed(empty("run", "--device", "cuda"), code=2)
    assert "device: expected cpu" in message
    assert "got 'cuda'" in message
    assert not empty.results.exists()


@pytest.mark.parametrize(
    "changes",
    [
        ("model.widths=[5]", "width.choose=[2]"),
        ("model.widths=[5,4,3,2]", "width.choose=[2,2,2,2]"),
        ("model.widths=[1,1,1]", "width.choose=[1,1,1]"),
        ("width.choose=[6,5,4]",),
        ("data.n_train=1",),
        ("data.n_test=1",),
        ("data.n_population=1",),
        ("data.epsilon=0",),
        ("train.batch_size=1000",),
        ("train.epochs=1", "finetune.epochs=1"),
        ("seed=9223372036854775807",),
        ("width.rho={start: 2, stop: 2, num: 1}",),
        ("width.regularizer=abs",),
        ("select.theta=1",),
        ("train.learning_rate=10", "train.epochs=30"),  # dead units
    ],
    ids=" ".join,
)
def test_odd_but_valid_settings_run_without_a_word(empty, monkeypatch, changes):
    monkeypatch.undo()  # these figures are drawn, though not to files
    monkeypatch.setattr(drawing, "rendered", blank_file)
    monkeypatch.setattr(os, "fsync", lambda _: None)
    options = [part for change in changes for part in ("--set", change)]
    succeeded(empty("run", *options))
    assert all(line.endswith("fresh") for line in empty("status", *options).stdout.splitlines())


def test_one_variant_without_biases_has_no_figure_2(empty, tmp_path):
    settings = yaml.safe_load(empty.config.read_text(encoding="utf-8"))
    del settings["variants"]["corrected_bias"]
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    succeeded(type(empty)(path, empty.results)("run"))
    numbers = sorted(path.stem for path in (empty.directory / "figures").glob("*.png"))
    assert numbers == [f"figure{number}" for number in (1, 3, 4, 5, 6, 7)]
