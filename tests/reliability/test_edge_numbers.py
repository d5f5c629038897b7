"""Numbers at the edge of what a setting may be: success, or one line. A table of them."""

from __future__ import annotations

import contextlib
import math

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import nn

from mini_exp import prune
from mini_exp.cli import group, main
from mini_exp.errors import ConfigError, DomainError, MiniExpError
from mini_exp.experiment import memory
from mini_exp.spectral.reconstruction import reconstruction_matrix
from tests.conftest import Project, experiment_file, stub

SUCCESS, FAILED, REFUSED = 0, 1, 2
NUMBERS = {
    "compress.ridge=1e308": SUCCESS,
    "compress.ridge=1e300": SUCCESS,
    "compress.ridge=5e-324": SUCCESS,
    "compress.ridge=1e309": REFUSED,  # infinite
    "compress.ridge=-1e-300": REFUSED,
    "select.theta=1e308": REFUSED,
    "select.theta=1.0000000000000002": REFUSED,
    "select.theta=5e-324": SUCCESS,
    "train.learning_rate=1e308": FAILED,
    "train.learning_rate=5e-324": SUCCESS,
    "data.epsilon=1e308": REFUSED,
    "data.epsilon=1e100": SUCCESS,
    "width.rho.stop=1e308": SUCCESS,
    "width.rho.start=5e-324": SUCCESS,
    "seed=9223372036854775807": SUCCESS,
    "seed=9223372036854775808": REFUSED,
    "data.n_train=10000001": REFUSED,
}


@pytest.mark.parametrize("setting", NUMBERS)
def test_a_number_at_the_edge(tmp_path, monkeypatch, setting, tried) -> None:
    stub(monkeypatch)
    config = experiment_file(tmp_path / "edge.yaml", variants={"corrected": {}})
    project = Project(config, tmp_path / "results")
    result = project("run", "--set", setting)
    assert result.exit_code == NUMBERS[setting], result.output
    assert "internal error" not in result.stderr
    assert len(result.stderr.splitlines()) == (0 if NUMBERS[setting] == SUCCESS else 1)
    tried("a setting at the edge of its range", "success, or one line")


COUNTS = {
    "data.n_population=10000000": "data.n_population: 10000000 needs 13 GB",
    "data.n_train=10000000": "data.n_train: 10000000 needs 13 GB",
    "data.n_test=10000000": "data.n_test: 10000000 needs 13 GB",
    "train.epochs=10000000": "train.epochs: 10000000 needs 8 GB",
    "finetune.epochs=10000000": "finetune.epochs: 10000000 needs 8 GB",
    "model.widths=[10000000, 1, 1]": "model.widths: 10000000 needs",
    "model.widths=[100000, 100000, 1]": "model.widths: 100000 needs 480 GB",
    "width.rho.num=10000000": "width.rho.num: 10000000 needs 2 GB",
}


@pytest.mark.parametrize("setting", COUNTS)
def test_counts_beyond_memory_are_refused_before_anything_is_written(
    tmp_path, monkeypatch, setting, tried
) -> None:
    monkeypatch.setattr(memory, "usable_memory", lambda: 1e9)
    config = experiment_file(
        tmp_path / "big.yaml", variants={"corrected": {"width": {"choose": [1, 1, 1]}}}
    )
    project = Project(config, tmp_path / "results")
    result = project("run", "--set", setting)
    assert (result.exit_code, result.stdout) == (REFUSED, "")
    (line,) = result.stderr.splitlines()
    assert COUNTS[setting] in line
    assert "1.0 GB are free; use a smaller one" in line
    assert not project.results.exists()
    tried("counts beyond memory", "one line before anything is written")


LACKS = {
    "numpy": lambda: np.empty((2**46, 2**10)),
    "numpy's largest": lambda: np.empty((2**62, 2**62)),
    "torch": lambda: torch.empty(2**46, 2**10),
    "torch's largest": lambda: torch.empty(2**62, 2**62),
    "python": lambda: bytearray(2**60),
}


@pytest.mark.parametrize("kind", LACKS)
def test_a_lack_of_memory_is_one_line_whoever_tells_it(monkeypatch, kind) -> None:
    import mini_exp.settings.schema

    monkeypatch.setattr(mini_exp.settings.schema, "schema_text", LACKS[kind])
    result = CliRunner().invoke(main, ["schema"])
    assert (result.exit_code, result.stderr) == (1, f"mini-exp: {group.OUT_OF_MEMORY}\n")


NETWORK = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
BATCH = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
ARGUMENTS = {
    "ridge": (1e308, math.inf, math.nan, -1.0, 10**400, "1", True),
    "theta": (1e308, 1.5, -1e-300, math.nan, math.inf, 10**400, "1"),
    "keep": (1e308, 0.0, math.nan, 10**400, 2),
    "parameters": (10**400, 0, -1, math.nan, 1.5),
    "flops": (10**400, 0, math.inf),
    "information": (1e308, 0.0, math.nan),
    "round_to": (10**400, 0, -8, 1.5),
    "widths": ({"0": 10**400}, {"0": 0}, [10**30], [-1]),
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in ARGUMENTS.items() for value in values]
)
def test_prune_takes_a_number_or_refuses_it_with_one_of_our_errors(name, value) -> None:
    rule = {} if name in ("keep", "parameters", "flops", "information", "widths") else {"keep": 0.5}
    smaller = NETWORK
    with contextlib.suppress(MiniExpError):
        smaller, _ = prune(NETWORK, [BATCH], **rule, **{name: value})
    with torch.no_grad():
        assert torch.isfinite(smaller(BATCH)).all()


@pytest.mark.parametrize("scale", [1e10, 1e150])
def test_a_ridge_that_overflows_is_refused(scale) -> None:
    sigma = scale * np.eye(3)
    with pytest.raises(DomainError, match=r"expected a ridge for which w = .* is finite"):
        reconstruction_matrix(sigma, np.array([0, 1]), 1e308)


def test_the_largest_ridge_gives_almost_nothing() -> None:
    matrix = reconstruction_matrix(np.eye(3), np.array([0, 1]), 1e300)
    assert np.abs(matrix).max() <= 1e-299


def test_a_check_of_memory_passes_what_fits(monkeypatch, tmp_path) -> None:
    from mini_exp.settings.reading import load_config

    config = load_config(experiment_file(tmp_path / "x.yaml"))
    memory.check_memory(config)
    monkeypatch.setattr(memory, "usable_memory", lambda: 0.0)
    with pytest.raises(ConfigError, match=r"published: width.rho.num: 3 needs 0 GB"):
        memory.check_memory(config)
