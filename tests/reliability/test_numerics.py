"""Extreme numbers: inside the bounds or one clear error, never NaN or a warning."""

from __future__ import annotations

import numpy as np
import pytest

from mini_exp.spectral.degrees_of_freedom import degrees_of_freedom, numerical_spectrum
from mini_exp.spectral.exhaustive import exhaustive_optimum
from mini_exp.spectral.greedy import greedy_path
from mini_exp.spectral.greedy_complement import greedy_complement_path
from mini_exp.spectral.losses import index_set_losses
from mini_exp.spectral.output_weight import output_aware_weight, scaled_output_matrix
from mini_exp.spectral.published import published_lambdas
from mini_exp.spectral.reconstruction import reconstruction_matrix
from mini_exp.spectral.second_moment import second_moment, spectrum
from mini_exp.spectral.width import exact_lambdas, width_objective
from tests.conftest import Project, experiment_file

M = 8


def outputs(kind: str) -> np.ndarray:
    """(n, M) outputs of a layer."""
    rng = np.random.default_rng(3)
    plain = np.maximum(rng.standard_normal((40, M)), 0)
    scale = np.ones(M)
    if kind == "zeros in the spectrum":
        plain[:, 5:] = plain[:, :3]
    elif kind == "condition 1e16":
        scale = 10.0 ** -np.linspace(0, 8, M)
    elif kind == "all equal":
        plain = np.eye(M)
    elif kind == "every unit dead":
        scale = np.zeros(M)
    elif kind == "one sample":
        plain = plain[:1] + 1
    elif kind == "constant features":
        plain = np.ones((40, M))
    elif kind == "1e150":
        scale = np.full(M, 1e150)
    elif kind == "1e-150":
        scale = np.full(M, 1e-150)
    elif kind == "1e150 and 1e-150":
        scale = np.where(np.arange(M) % 2, 1e150, 1e-150)
    return plain * scale


KINDS = [
    "zeros in the spectrum",
    "condition 1e16",
    "all equal",
    "every unit dead",
    "one sample",
    "constant features",
    "1e150",
    "1e-150",
    "1e150 and 1e-150",
]


@pytest.mark.parametrize("kind", KINDS)
def test_the_core(kind: str, tried) -> None:
    sigma, _ = second_moment([outputs(kind)])
    values, vectors = spectrum(sigma)
    assert np.isfinite(values).all()
    assert np.isfinite(vectors).all()
    mu = numerical_spectrum(values)
    rank = (mu > 0).sum()
    for lam in (0.0, 1e-300, 1e-12, 1.0, 1e12, 1e300):
        n = degrees_of_freedom(mu, lam)
        assert 0 <= n <= rank
    next_weight = np.random.default_rng(4).standard_normal((3, M))
    z, scale = scaled_output_matrix(next_weight)
    paths = {
        "full": greedy_path(sigma, output_aware_weight(z, 0.5)),
        "complement": greedy_complement_path(sigma),
    }
    for scope, (path, ratio) in paths.items():
        assert sorted(path) == list(range(M))
        assert ((ratio >= 0) & (ratio <= 1)).all()
        best = exhaustive_optimum(sigma, z, 0.5, scope)
        assert all(np.isfinite(column).all() for column in best.values())
        assert (best["information"] >= ratio - 1e-9).all()
    losses = index_set_losses(sigma, z, scale, path, 0.5)
    assert all(np.isfinite(column).all() for column in losses.values())
    a = reconstruction_matrix(sigma, np.sort(path[:3]))
    assert np.isfinite(a).all()
    tried(f"layer: {kind}", "N(λ) and 𝒞 inside their bounds, no NaN, no warning")


@pytest.mark.parametrize("regularizer", ["square", "abs"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_width_problem(kind: str, regularizer: str, tried) -> None:
    mu = spectrum(second_moment([outputs(kind)])[0])[0]
    other = np.array([3.0, 1.0, 0.5])
    for rho in (1e-6, 1.0, 1e6):
        lam = exact_lambdas([mu, other], rho, regularizer, (30.0, 1.0))
        assert np.isfinite(lam).all()
        assert (lam >= 0).all()
        objective = width_objective([mu, other], lam, rho, regularizer, (30.0, 1.0))
        at_zero = width_objective([mu, other], [0.0, 0.0], rho, regularizer, (30.0, 1.0))
        assert objective <= at_zero * (1 + 1e-6)
        lam, objective, _ = published_lambdas([mu, other], rho, regularizer)
        assert np.isfinite(lam).all()
        assert np.isfinite(objective)
    tried(f"width problem: {kind}", "finite λ ≥ 0, no NaN, no warning")


@pytest.mark.parametrize(
    "changes",
    [
        {"data": {"n_train": 1, "n_population": 500}},
        {"data": {"n_train": 2, "n_test": 1, "n_population": 1}},
        {"train": {"epochs": 1, "batch_size": 1000}},
        {"train": {"epochs": 3, "learning_rate": 1.0}},
        {"data": {"epsilon": 1e6, "n_population": 500}},
    ],
    ids=["one sample", "one test sample", "one batch", "dying units", "one class"],
)
def test_whole_runs(changes, tmp_path, monkeypatch, tried) -> None:
    from tests.conftest import stub

    stub(monkeypatch)
    name = "extreme"
    project = Project(experiment_file(tmp_path / f"{name}.yaml", **changes), tmp_path / "results")
    result = project("run")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    assert "nan" not in (project.directory / "table1.csv").read_text().lower()
    tried(f"run with {changes}", "success, no NaN, no warning")


def test_overflow_is_one_error(tried) -> None:
    from mini_exp.errors import DomainError

    with pytest.raises(DomainError, match="expected finite outputs whose squares do not overflow"):
        second_moment([np.full((3, 2), 1e200)])
    tried("layer: 1e200, whose squares overflow", "one DomainError")
