"""The smaller network for other programs gives what it gives here."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mini_exp import load_results
from mini_exp.errors import NetworkError
from mini_exp.tasks import exporting
from mini_exp.tasks.exporting import exported
from tests.tasks.own.examples import mini_exp, write_config, write_folders


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_folders(tmp_path)
    return tmp_path


def test_torch_export_gives_the_same(here):
    write_config(here, export="torch.export")
    assert mini_exp("run", "own.yaml").exit_code == 0
    variant = load_results("results/own")["half"]
    x, _ = variant.tensors["test"]
    program = torch.export.load("results/own/half/network.pt2").module()
    for n in (1, 5, len(x)):
        with torch.no_grad():
            # Float32: other kernels for other layouts.
            torch.testing.assert_close(
                program(x[:n]), variant.finetuned(x[:n]), atol=1e-6, rtol=1e-5
            )


def test_onnx_gives_the_same(here):
    pytest.importorskip("onnxscript", reason="an extra: pip install 'mini-exp[export]'")
    reference = pytest.importorskip("onnx.reference", reason="an extra")
    write_config(here, export="onnx")
    assert mini_exp("run", "own.yaml").exit_code == 0
    variant = load_results("results/own")["half"]
    x, _ = variant.tensors["test"]
    session = reference.ReferenceEvaluator("results/own/half/network.onnx")
    for n in (1, 5):
        (outputs,) = session.run(None, {"input": x[:n].numpy()})
        with torch.no_grad():
            expected = variant.finetuned(x[:n]).numpy()
        np.testing.assert_allclose(outputs, expected, atol=1e-5, rtol=1e-4)  # float32, naive sums


def test_onnx_without_its_packages_is_refused_before_anything_is_written(here, monkeypatch):
    found = importlib.util.find_spec
    absent = {"onnx", "onnxscript"}
    monkeypatch.setattr(
        exporting.importlib.util, "find_spec", lambda name: None if name in absent else found(name)
    )
    write_config(here, export="onnx")
    result = mini_exp("run", "own.yaml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "mini-exp: export: onnx needs onnx and onnxscript: pip install 'mini-exp[export]'\n"
    )
    assert not Path("results").exists()


def test_an_export_is_fresh_until_what_it_depends_on_changes(here):
    write_config(here, export="torch.export")
    assert mini_exp("run", "own.yaml").exit_code == 0
    lines = mini_exp("status", "own.yaml").stdout.splitlines()
    assert [line.split()[2] for line in lines if " export " in line] == ["fresh"]
    lines = mini_exp("status", "own.yaml", "--set", "finetune.epochs=2").stdout.splitlines()
    assert [line.split()[2] for line in lines if " export " in line] == ["stale"]
    lines = mini_exp("status", "own.yaml", "--set", "export=null").stdout.splitlines()
    assert not [line for line in lines if " export " in line]


@pytest.mark.parametrize("value", ["tflite", "onnx,torch.export", "true"])
def test_other_forms_are_refused(here, value):
    write_config(here)
    result = mini_exp("validate", "own.yaml", "--set", f"export={value}")
    assert result.exit_code == 2
    assert "export: expected 'onnx' or 'torch.export', got " in result.stderr


def test_variants_have_one_form(here):
    write_config(here, variants={"a": {"export": "onnx"}, "b": {}})
    result = mini_exp("validate", "own.yaml")
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert "export: expected the same in every variant" in result.stderr


class Branching(nn.Module):
    """What no exporter can express: the way depends on the numbers."""

    def forward(self, x: Tensor) -> Tensor:
        return x + 1 if x.sum() > 0 else x


def test_a_network_that_cannot_be_exported_is_told_in_one_line():
    with pytest.raises(NetworkError, match=r"^torch.export cannot express the network: \S+: .+$"):
        exported(Branching(), torch.ones(2, 3), "torch.export")
