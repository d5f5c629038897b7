import json
import os
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from mini_exp.errors import DomainError, ShapeError
from mini_exp.spectral import chain
from mini_exp.spectral.published import absolute_spectrum, published_lambdas
from mini_exp.spectral.width import estimated_width, exact_lambdas, width_objective
from tests import oracles

REGULARIZERS = ["square", "abs"]
HIDDEN, PARAMETERS = (0.0, 0.0), (30.0, 1.0)
BOUNDARIES = [HIDDEN, PARAMETERS]

FLAT = np.ones(10)
DECAYING = 10.0 ** -np.arange(6)
SINGULAR = np.array([3.0, 1.0, 1.0, 0.5, 0.0, 0.0])
NEAR_MINI = [np.array([40.0, 6.0, 3.0, 1.5, 0.8, 0.3, 0.1]), np.array([25.0, 2.0, 0.6, 0.1])]


def objective_at(spectra, lambdas, rho, regularizer, boundary):
    return oracles.width_objective(spectra, list(lambdas), rho, regularizer, boundary)


def check_is_the_minimum(spectra, rho, regularizer, boundary, points=40):
    lambdas = exact_lambdas(spectra, rho, regularizer, boundary)
    assert lambdas.shape == (len(spectra),)
    assert (lambdas >= 0).all()
    ours = objective_at(spectra, lambdas, rho, regularizer, boundary)
    brute = oracles.smallest_width_objective(spectra, rho, regularizer, boundary, points)
    assert ours <= brute * (1 + 1e-7)
    assert ours == pytest.approx(brute, rel=1e-6)
    return lambdas


# The objective


@pytest.mark.parametrize("regularizer", REGULARIZERS)
@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("n_layers", [1, 2, 3, 4])
def test_objective_matches_the_sum(regularizer, boundary, n_layers):
    rng = np.random.default_rng(n_layers)
    spectra = [rng.exponential(size=m) for m in range(2, 2 + n_layers)]
    lambdas = rng.exponential(size=(5, 3, n_layers))
    stack = width_objective(spectra, lambdas, 0.7, regularizer, boundary)
    assert stack.shape == (5, 3)
    for index in np.ndindex(5, 3):
        expected = objective_at(spectra, lambdas[index], 0.7, regularizer, boundary)
        assert stack[index] == pytest.approx(expected, rel=1e-13)


def test_objective_counts_the_parameters_of_mini_model():
    spectra = [np.ones(16), np.ones(12), np.ones(10)]
    assert width_objective(spectra, [0.0, 0.0, 0.0], 1.0, boundary=PARAMETERS) == 802


def test_objective_treats_rounding_as_zero():
    spectra = [[1.0, 1.0, -1e-17], [2.0, 1e-15]]
    assert width_objective(spectra, [0.0, 0.0], 1.0) == 2.0


def test_objective_with_another_number_of_lambdas():
    with pytest.raises(ShapeError, match="expected 2 λ, got 3"):
        width_objective([[1.0], [1.0]], [0.0, 0.0, 0.0], 1.0)


# The exact solver against brute force


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("regularizer", REGULARIZERS)
@pytest.mark.parametrize("rho", [0.03, 1.0, 20.0])
@pytest.mark.parametrize(
    "spectra",
    [
        [DECAYING],
        NEAR_MINI,
        [SINGULAR, DECAYING, FLAT],
        [FLAT, FLAT, FLAT],
        [NEAR_MINI[0], NEAR_MINI[1], SINGULAR],
    ],
    ids=["one", "two", "three", "flat", "singular"],
)
def test_is_the_global_minimum(spectra, rho, regularizer, boundary):
    check_is_the_minimum(spectra, rho, regularizer, boundary)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("regularizer", REGULARIZERS)
def test_is_the_global_minimum_of_four_layers(regularizer, boundary):
    spectra = [SINGULAR, DECAYING, NEAR_MINI[1], NEAR_MINI[0]]
    check_is_the_minimum(spectra, 0.5, regularizer, boundary, points=22)


@settings(deadline=None, max_examples=120, derandomize=True)
@given(
    spectra=st.lists(
        st.lists(
            st.sampled_from([0.0, 1.0, 1e-3, 1e-6, 0.37, 2.5, 60.0, 4e3]), min_size=1, max_size=5
        ),
        min_size=1,
        max_size=3,
    ),
    log_rho=st.floats(-4, 3),
    regularizer=st.sampled_from(REGULARIZERS),
    boundary=st.sampled_from(BOUNDARIES),
)
def test_is_the_global_minimum_of_random_problems(spectra, log_rho, regularizer, boundary):
    check_is_the_minimum(spectra, 10.0**log_rho, regularizer, boundary)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("regularizer", REGULARIZERS)
@pytest.mark.parametrize("scale", [1e-10, 1e10])
def test_is_the_global_minimum_of_badly_scaled_layers(regularizer, boundary, scale):
    spectra = [FLAT, scale * DECAYING, NEAR_MINI[1]]
    check_is_the_minimum(spectra, 1.0, regularizer, boundary, points=70)


@pytest.mark.parametrize("scale", [1e-300, 1e300])
@pytest.mark.parametrize("regularizer", REGULARIZERS)
def test_extreme_scales_do_not_overflow(regularizer, scale):
    lambdas = exact_lambdas([FLAT * scale, FLAT * scale], 1.0, regularizer, PARAMETERS)
    ours = objective_at([FLAT * scale] * 2, lambdas, 1.0, regularizer, PARAMETERS)
    assert 0 < ours <= 410
    assert np.isfinite(lambdas).all()


@pytest.mark.parametrize("rho", [1e-300, 1e-100, 1e100, 1e300])
@pytest.mark.parametrize("regularizer", REGULARIZERS)
def test_extreme_rho_does_not_overflow(rho, regularizer):
    lambdas = exact_lambdas([FLAT, FLAT], rho, regularizer, PARAMETERS)
    assert 0 < objective_at([FLAT] * 2, lambdas, rho, regularizer, PARAMETERS) <= 410


@pytest.mark.parametrize("regularizer", REGULARIZERS)
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_is_not_beaten_by_any_random_point(regularizer, boundary):
    rng = np.random.default_rng(0)
    spectra = [np.sort(rng.lognormal(0, 3, m))[::-1] for m in (16, 12, 10)]
    for rho in np.geomspace(1e-3, 1e2, 6):
        ours = width_objective(
            spectra, exact_lambdas(spectra, rho, regularizer, boundary), rho, regularizer, boundary
        )
        points = 10 ** rng.uniform(-6, 5, (20_000, 3)) * (rng.random((20_000, 3)) > 0.2)
        others = width_objective(spectra, points, rho, regularizer, boundary)
        assert ours <= others.min()


IN_ONE_GIGABYTE = """
import json, resource, sys
from mini_exp.spectral.width import exact_lambdas
problem = json.loads(sys.argv[1])
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
print(json.dumps(exact_lambdas(*problem).tolist()))
"""


@pytest.mark.parametrize(
    ("spectra", "rho", "boundary"),
    [
        ([[1.0], [1.0]], 1.0, HIDDEN),  # λ = 0 is about to stop being the minimum: it is flat
        ([NEAR_MINI[0], [1e-8], [1e-10]], 0.1, PARAMETERS),  # two layers that are almost dead
        ([FLAT, 1e-20 * FLAT, FLAT], 1.0, PARAMETERS),
        ([FLAT, 1e-24 * FLAT, FLAT], 1.0, HIDDEN),
    ],
    ids=["flat minimum", "two almost dead", "one almost dead", "one even more so"],
)
def test_little_memory_is_enough(spectra, rho, boundary):
    spectra = [list(mu) for mu in spectra]
    done = subprocess.run(
        [sys.executable, "-c", IN_ONE_GIGABYTE, json.dumps([spectra, rho, "square", boundary])],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-300:]
    ours = objective_at(spectra, json.loads(done.stdout), rho, "square", boundary)
    brute = oracles.smallest_width_objective(spectra, rho, "square", boundary, points=70)
    assert ours <= brute * (1 + 1e-7)


@pytest.mark.parametrize("regularizer", REGULARIZERS)
@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize(
    ("scales", "rho"),
    [
        ([1e-300, 1e-300, 1e-300], 1.0),
        ([1e-300, 1e-300, 1e-300], 1e-150),
        ([1.0, 1.0, 1.0], 1e-300),
        ([5.4, 14.0, 0.22, 0.58], 1e-52),  # two neighbours that hardly matter
        ([1e-54, 1e-61, 1e42, 1e32], 1e42),
    ],
    ids=["tiny", "tiny with tiny rho", "tiny rho", "two that hardly matter", "mixed"],
)
def test_little_work_is_enough(monkeypatch, scales, rho, regularizer, boundary):
    """Entries of tables that are computed; all tables in full would have 10⁹ to 10¹²."""
    work = []
    cheapest = chain.cheapest_partner

    def counted(cost, n, at):
        whole = len(cost) * len(at) <= chain._CELLS
        work.append(len(cost) * len(at) if whole else len(cost))
        return cheapest(cost, n, at)

    monkeypatch.setattr(chain, "cheapest_partner", counted)
    exact_lambdas([scale * DECAYING for scale in scales], rho, regularizer, boundary)
    assert 0 < sum(work) < 5e8


@settings(deadline=None, max_examples=200, derandomize=True)
@given(
    cost=st.lists(st.sampled_from([0.0, 0.1, 1.0, 1.5, 7.0, 1e3]), min_size=1, max_size=12),
    n=st.lists(st.sampled_from([0.0, 1e-9, 0.5, 1.0, 3.0]), min_size=12, max_size=12),
    at=st.lists(st.sampled_from([0.0, 1e-5, 1.0, 2.0, 16.0]), min_size=1, max_size=12),
)
def test_a_large_table_is_the_sum_of_its_parts(cost, n, at):
    cost, n, at = np.array(cost), -np.sort(-np.array(n[: len(cost)])), -np.sort(-np.array(at))
    expected = [min(c + slope * a for c, slope in zip(cost, n, strict=True)) for a in at]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chain, "_CELLS", 3)
        assert_allclose(chain.cheapest_partner(cost, n, at), expected, rtol=1e-15)


# Where the answer is known


def test_one_layer_without_boundary_keeps_lambda_0():
    # Nothing but the regulariser is left of the objective.
    assert_array_equal(exact_lambdas([DECAYING], 0.5), [0.0])


def test_one_layer_of_one_unit():
    # min over λ of a/(1 + λ) + ρλ is at λ = √(a/ρ) − 1.
    (lambda_,) = exact_lambdas([[1.0]], 0.25, boundary=(1.0, 0.0))
    assert lambda_ == pytest.approx(1.0, rel=1e-3)
    assert width_objective([[1.0]], [lambda_], 0.25, boundary=(1.0, 0.0)) == pytest.approx(
        0.75, rel=1e-7
    )


@pytest.mark.parametrize("mu", [1e-300, 1e-30, 1e30])
def test_one_layer_of_one_unit_of_any_size(mu):
    # min over λ of aμ/(μ + λ) + ρλ is at λ = √(aμ/ρ) − μ.
    (lambda_,) = exact_lambdas([[mu]], 1e-40, boundary=(1.0, 0.0))
    expected = np.sqrt(mu / 1e-40) - mu
    assert lambda_ == pytest.approx(expected, rel=1e-3)
    objective = width_objective([[mu]], [lambda_], 1e-40, boundary=(1.0, 0.0))
    assert objective == pytest.approx(1e-40 * (expected + np.sqrt(mu / 1e-40)), rel=1e-7)


@pytest.mark.parametrize("regularizer", REGULARIZERS)
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_large_rho_gives_lambda_0_in_every_layer(regularizer, boundary):
    lambdas = exact_lambdas([SINGULAR, FLAT, NEAR_MINI[1]], 1e5, regularizer, boundary)
    assert_array_equal(lambdas, [0.0, 0.0, 0.0])


def test_lambda_0_in_the_outer_layers_only():
    # A middle layer that vanishes pays for both products.
    lambdas = check_is_the_minimum([FLAT, 1e-2 * FLAT, FLAT], 1.0, "abs", HIDDEN)
    assert lambdas[0] == lambdas[2] == 0.0
    assert lambdas[1] > 0.0


def test_zero_spectra_keep_lambda_0():
    assert_array_equal(exact_lambdas([np.zeros(3), np.zeros(2)], 1.0, boundary=PARAMETERS), [0, 0])
    assert_array_equal(exact_lambdas([np.zeros(3), FLAT], 1.0), [0, 0])


@pytest.mark.parametrize("regularizer", REGULARIZERS)
def test_a_dead_layer_beside_a_live_one(regularizer):
    lambdas = check_is_the_minimum([np.zeros(4), FLAT], 0.05, regularizer, PARAMETERS)
    assert lambdas[0] == 0.0


def test_rounding_below_the_rank_changes_nothing():
    noisy = np.concatenate([NEAR_MINI[0], [3e-16, -2e-16]])
    assert_array_equal(exact_lambdas([noisy, NEAR_MINI[1]], 0.5), exact_lambdas(NEAR_MINI, 0.5))


@pytest.mark.parametrize("regularizer", REGULARIZERS)
def test_objective_grows_with_rho(regularizer):
    rhos = np.geomspace(1e-2, 1e2, 15)
    values = [
        width_objective(NEAR_MINI, exact_lambdas(NEAR_MINI, rho, regularizer), rho, regularizer)
        for rho in rhos
    ]
    assert (np.diff(values) >= -1e-7 * np.array(values[1:])).all()
    assert values[-1] > 5 * values[0]


@pytest.mark.parametrize("regularizer", REGULARIZERS)
def test_is_never_above_the_published_solver(regularizer):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        spectra = [absolute_spectrum(np.sort(rng.lognormal(0, 2, m))) for m in (16, 12, 10)]
        for rho in (0.01, 0.1, 1.0, 10.0, 100.0):
            theirs, _, _ = published_lambdas(spectra, rho, regularizer)
            ours = exact_lambdas(spectra, rho, regularizer)
            assert width_objective(spectra, ours, rho, regularizer) <= width_objective(
                spectra, theirs, rho, regularizer
            ) * (1 + 1e-7)


def test_is_far_below_the_published_solver_where_that_is_stuck():
    spectra = [np.ones(3)] * 3
    theirs, objective, _ = published_lambdas(spectra, 1.0, "square")
    assert objective == pytest.approx(float(width_objective(spectra, theirs, 1.0)), rel=1e-12)
    assert width_objective(spectra, exact_lambdas(spectra, 1.0), 1.0) < 0.999 * objective


# Errors


@pytest.mark.parametrize("rho", [0.0, -1.0, np.nan, np.inf])
def test_rho_outside_the_domain(rho):
    with pytest.raises(DomainError, match="expected a finite ρ > 0, got"):
        exact_lambdas(NEAR_MINI, rho)


def test_a_minimum_too_small_for_a_float():
    with pytest.raises(DomainError, match="too small for a float at ρ = 1e-300; use a larger ρ"):
        exact_lambdas([1e-300 * FLAT] * 3, 1e-300)


@pytest.mark.parametrize("bad", [[1.0, -0.1], [np.nan], [np.inf, 1.0]])
def test_not_a_spectrum(bad):
    with pytest.raises(DomainError, match="finite eigenvalues of a positive semi-definite"):
        exact_lambdas([[1.0], bad], 1.0)


def test_estimated_width_at_lambda_0_is_the_rank():
    spectra = [SINGULAR, DECAYING, FLAT]
    for mu, rank in zip(spectra, (4, 6, 10), strict=True):
        dof = oracles.degrees_of_freedom_of(mu, 0.0)
        assert estimated_width(dof) == rank
    widths = [30, 4, 6, 10, 1]
    objective = width_objective(spectra, np.zeros(3), 1.0, boundary=PARAMETERS)
    assert objective == sum(a * b for a, b in pairwise(widths))
