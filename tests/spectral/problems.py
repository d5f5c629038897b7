"""Second moments and weights that tests of selection share."""

import numpy as np
from hypothesis import assume, settings
from hypothesis import strategies as st

from mini_exp.spectral.greedy import greedy_path
from mini_exp.spectral.greedy_complement import greedy_complement_path
from mini_exp.spectral.output_weight import scaled_output_matrix

SCOPES = ["full", "complement"]
THETAS = [0.0, 0.3, 0.5, 1.0]


def property_test(max_examples):
    """The same examples every time, however long one takes."""
    return settings(deadline=None, max_examples=max_examples, derandomize=True)


@st.composite
def second_moments(draw, max_m=8):
    """Of small integers, so that ranks are exact; duplicates, dead units and bad scales."""
    m, n = draw(st.integers(1, max_m)), draw(st.integers(1, 12))
    rng = np.random.default_rng(draw(st.integers(0, 10**9)))
    phi = rng.integers(-3, 4, (n, m)).astype(float)
    if draw(st.booleans()) and m > 1:
        phi[:, rng.integers(m)] = phi[:, rng.integers(m)]
    if draw(st.booleans()):
        phi[:, rng.integers(m)] = 0.0
    if draw(st.booleans()):
        phi *= 10.0 ** rng.choice([0, 0, 0, -2, 2, -7], m)
    return phi.T @ phi


@st.composite
def problems(draw, max_m=8):
    sigma = draw(second_moments(max_m))
    z, _ = scaled_output_matrix(
        np.random.default_rng(draw(st.integers(0, 10**9))).standard_normal(
            (draw(st.integers(1, 4)), len(sigma))
        )
    )
    scope, theta = draw(st.sampled_from(SCOPES)), draw(st.sampled_from(THETAS))
    weight = theta * np.eye(len(sigma)) + (1 - theta) * z.T @ z if scope == "full" else None
    if weight is not None:  # else tr(MΣ) is a small difference of large numbers
        assume(np.trace(weight @ sigma) >= 1e-2 * np.trace(weight) * np.trace(sigma) / len(sigma))
    return sigma, weight, scope


def layer(seed=0, n_replicates=3, m=6, n_out=4, n=20):
    rng = np.random.default_rng(seed)
    phi = np.maximum(rng.standard_normal((n_replicates, n, m)) + 0.3, 0)
    sigma = phi.swapaxes(1, 2) @ phi / n
    next_weight = rng.standard_normal((n_replicates, n_out, m))
    return sigma, next_weight


def greedy(sigma, weight=None, scope="full", n_picks=None):
    """The greedy path of either scope."""
    if scope == "complement":
        return greedy_complement_path(sigma, n_picks)
    return greedy_path(sigma, weight, n_picks)


# Unit 0 is all that is left once unit 1 is picked: a difference of large numbers would hide it.
BADLY_SCALED = np.array([[1.2e-3, 15.0, 0.0], [15.0, 2.1e5, 0.0], [0.0, 0.0, 0.0]])
WORSE_SCALED = np.array([[4.8e-13, 2.4e-8], [2.4e-8, 3.8e-3]])
