"""Step estimate-width."""

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mini_exp.steps import estimate_width
from tests import oracles
from tests.steps.examples import moments_of, samples, settings, state

ENDS = {"hidden": (0.0, 0.0), "output": (0.0, 1.0), "parameters": (30.0, 1.0)}


@pytest.fixture(scope="module")
def moments():
    return moments_of(settings(), state(bias=False), samples())


@pytest.mark.parametrize("regularizer", ["square", "abs"])
@pytest.mark.parametrize("boundary", ENDS)
def test_exact_width_path(moments, regularizer, boundary):
    width = {
        "regularizer": regularizer,
        "boundary": boundary,
        "rho": {"start": 0.5, "stop": 2.5, "num": 3},
        "choose": [3, 2, 2],
    }
    (path,) = estimate_width.run(settings(width=width), moments)
    assert_allclose(path.rho, [0.5, 1.5, 2.5])
    assert path.converged.all()
    spectra = [np.maximum(values, 0) for values in moments.groups.eigenvalues.values()]
    spectra = [np.where(mu > 1e-12 * mu.max(), mu, 0) for mu in spectra]
    for k, rho in enumerate(path.rho):
        lambdas = list(path.lambda_[k])
        ends = ENDS[boundary]
        expected = oracles.width_objective(spectra, lambdas, rho, regularizer, ends)
        assert path.objective[k] == pytest.approx(expected, rel=1e-10)
        best = oracles.smallest_width_objective(spectra, rho, regularizer, ends)
        assert path.objective[k] == pytest.approx(best, rel=1e-6)
        for layer in range(3):
            dof = oracles.degrees_of_freedom_of(spectra[layer], lambdas[layer])
            assert path.degrees_of_freedom[k, layer] == pytest.approx(dof, rel=1e-10)
            assert path.width[k, layer] == np.ceil(path.degrees_of_freedom[k, layer])


def test_published_width_path(moments):
    rho = {"start": 0.1, "stop": 0.3, "num": 2}
    width = {"solver": "published", "boundary": "hidden", "rho": rho, "choose": [3, 2, 2]}
    (path,) = estimate_width.run(settings(width=width), moments)
    spectra = [np.abs(values) for values in moments.groups.eigenvalues.values()]
    for k in range(2):
        expected = oracles.width_objective(
            spectra, list(path.lambda_[k]), path.rho[k], "square", (0, 0)
        )
        assert path.objective[k] == pytest.approx(expected, rel=1e-10)
    assert path.converged.dtype == bool


@pytest.mark.parametrize(("chosen", "grid"), [(1.7, [1.0, 1.7, 2.0, 3.0]), (2.0, [1.0, 2.0, 3.0])])
def test_a_chosen_rho_joins_the_grid(moments, chosen, grid):
    width = {"rho": {"start": 1, "stop": 3, "num": 3}, "choose": {"rho": chosen}}
    (path,) = estimate_width.run(settings(width=width), moments)
    assert path.rho.tolist() == grid


def test_a_dead_layer_gets_width_0(moments):
    values = moments.groups.eigenvalues
    dead = dataclasses.replace(
        moments,
        groups=dataclasses.replace(
            moments.groups, eigenvalues={**values, "layers.1": 0 * values["layers.1"]}
        ),
    )
    config = settings(width={"rho": {"start": 1, "stop": 2, "num": 2}, "choose": {"rho": 1.0}})
    (path,) = estimate_width.run(config, dead)
    assert (path.width[:, 1] == 0).all()
