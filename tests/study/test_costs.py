import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mini_exp.spectral.degrees_of_freedom import degrees_of_freedom, numerical_spectrum
from mini_exp.spectral.greedy import greedy_path
from mini_exp.spectral.second_moment import gram_spectrum, second_moment, spectrum
from mini_exp.study.costs import measured_costs, naive_information_ratio
from tests import oracles


def outputs(n, m, seed=0):
    return np.maximum(np.random.default_rng([seed, n, m]).standard_normal((2, n, m)), 0)


@pytest.mark.parametrize("scale", ["sum", "mean"])
@pytest.mark.parametrize(("n", "m"), [(7, 20), (12, 12), (20, 7), (1, 5)])
def test_gram_spectrum_is_the_top_of_the_second_moment_s(n, m, scale):
    phi = outputs(n, m)
    sigma, _ = second_moment([phi], scale)
    expected, _ = spectrum(sigma)
    found = gram_spectrum(np.split(phi, [2, m // 2], axis=2), scale)
    assert found.shape == (2, n)
    rank = min(n, m)
    tolerance = 1e-13 * expected.max()
    assert_allclose(found[:, :rank], expected[:, :rank], atol=tolerance)
    assert_allclose(found[:, rank:], 0, atol=tolerance)
    assert (np.diff(found, axis=1) <= 0).all()


@pytest.mark.parametrize("cuts", [[], [1], [3, 4, 11], range(1, 15)])
def test_gram_spectrum_does_not_depend_on_the_blocks(cuts):
    phi = outputs(9, 15)
    found = gram_spectrum(iter(np.split(phi, cuts, axis=2)))
    assert_allclose(found, gram_spectrum([phi]), rtol=1e-12)


def test_degrees_of_freedom_are_at_most_the_samples():
    phi = outputs(6, 40)
    sigma, _ = second_moment([phi])
    for r, found in enumerate(gram_spectrum([phi])):
        for lam in (1e-9, 1e-3, 0.1, 10.0):
            dof = degrees_of_freedom(numerical_spectrum(found), lam)
            assert dof <= 6
            assert_allclose(dof, oracles.degrees_of_freedom(sigma[r], lam), rtol=1e-6)


@pytest.mark.parametrize(
    ("m", "picks", "evaluations"), [(12, 6, 63), (20, 10, 165), (9, 4, 35), (11, 5, 51), (7, 7, 28)]
)
def test_number_of_evaluations(m, picks, evaluations):
    """(m̂+1)(m − m̂/2), which is m + (m − 1) + … + (m − m̂): the candidates of m̂ + 1 picks."""
    assert evaluations == (picks + 1) * (m - picks / 2) == sum(m - k for k in range(picks + 1))
    assert measured_costs(m, picks, 10, 64).evaluations == evaluations


def test_measured_costs_are_costs():
    found = dataclasses.asdict(measured_costs(12, 6, n_samples=30, dimension=3200))
    assert (found["gram_samples"], found["gram_dimension"]) == (30, 3200)
    assert {name: value for name, value in found.items() if not value > 0} == {}
    assert found["gram_degrees_of_freedom"] < 30
    assert found["gram_gigabytes"] < 8 * 3200**2 / 1e9 / 10  # nowhere near the second moment


@pytest.mark.parametrize("index_set", [[0], [2, 5], [1, 3, 4, 7], list(range(8))])
def test_one_evaluation_by_the_formula(index_set):
    """𝒞(J) = 1 − tr(ME) / tr(MΣ) with E = Σ − Σ_{·,J} Σ_{J,J}⁻¹ Σ_{J,·}."""
    rng = np.random.default_rng(8)
    phi, z = rng.standard_normal((30, 8)), rng.standard_normal((3, 8))
    sigma = phi.T @ phi / 30
    weight = 0.3 * np.eye(8) + 0.7 * z.T @ z
    left = oracles.residual(sigma, index_set)
    expected = 1 - np.trace(weight @ left) / np.trace(weight @ sigma)
    found = naive_information_ratio(sigma, weight, np.array(index_set))
    assert_allclose(found, expected, rtol=1e-10)


def test_rank_one_updates_pick_what_the_formula_picks():
    rng = np.random.default_rng(9)
    phi, z = rng.standard_normal((30, 8)), rng.standard_normal((3, 8))
    sigma = phi.T @ phi / 30
    weight = 0.5 * np.eye(8) + 0.5 * z.T @ z
    path, ratio = greedy_path(sigma, weight, n_picks=5)
    picked = []
    for k in range(5):
        free = [j for j in range(8) if j not in picked]
        values = [naive_information_ratio(sigma, weight, np.array([*picked, j])) for j in free]
        picked.append(free[int(np.argmax(values))])
        assert_allclose(ratio[k], max(values), rtol=1e-10)
    assert path.tolist() == picked
