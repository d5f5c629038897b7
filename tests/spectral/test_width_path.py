import numpy as np
import pytest
from numpy.testing import assert_array_equal

from mini_exp.spectral.published import published_lambdas
from mini_exp.spectral.width import estimated_width, exact_lambdas, width_objective
from mini_exp.spectral.width_path import width_path

RHO = np.array([0.05, 0.5])


def spectra(n=3):
    rng = np.random.default_rng(0)
    return [np.sort(rng.exponential(size=(n, m)), axis=1)[:, ::-1] for m in (5, 4)]


@pytest.mark.parametrize("solver", ["exact", "published"])
def test_every_item_of_a_stack_and_every_rho_by_itself(solver):
    mu = spectra()
    path = width_path(mu, RHO, solver)
    assert path.lambda_.shape == path.width.shape == (3, 2, 2)
    for r in range(3):
        one = [values[r] for values in mu]
        for k, rho in enumerate(RHO):
            if solver == "exact":
                expected = exact_lambdas(one, rho)
                assert path.objective[r, k] == width_objective(one, expected, rho)
            else:
                expected, objective, converged = published_lambdas(one, rho, "square")
                assert (path.objective[r, k], path.converged[r, k]) == (objective, converged)
            assert_array_equal(path.lambda_[r, k], expected)


def test_without_leading_axes():
    alone = width_path([values[1] for values in spectra()], RHO)
    stack = width_path(spectra(), RHO)
    assert_array_equal(alone.lambda_, stack.lambda_[1])
    assert_array_equal(alone.width, estimated_width(alone.degrees_of_freedom))


def test_estimated_width_rounds_up():
    assert_array_equal(estimated_width([[0.0, 1e-9], [7.0, 7.0000001]]), [[0, 1], [7, 8]])
    assert estimated_width([2.5]).dtype == np.int64
