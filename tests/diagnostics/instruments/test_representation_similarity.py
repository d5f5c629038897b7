"""CKA and SVCCA: loops, scikit-learn, invariances, and the bias that must be gone."""

from itertools import permutations

import numpy as np
import pytest
from scipy.stats import ortho_group
from sklearn.cross_decomposition import CCA

from mini_exp.diagnostics.instruments.representation_similarity import debiased_cka, svcca
from mini_exp.errors import DomainError, ShapeError


def plug_in_cka(x, y):
    x, y = x - x.mean(0), y - y.mean(0)
    return np.linalg.norm(x.T @ y) ** 2 / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y))


def looped_hsic(k, l_):
    """The U-statistic by its definition: the mean over all quadruples of different samples."""
    terms = [
        k[i, j] * (l_[i, j] + l_[q, r] - 2 * l_[i, q])
        for i, j, q, r in permutations(range(len(k)), 4)
    ]
    return np.mean(terms)


def test_debiased_cka_is_the_mean_over_quadruples():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(7, 3)), rng.normal(size=(7, 2))
    k, l_ = x @ x.T, y @ y.T
    expected = looped_hsic(k, l_) / np.sqrt(looped_hsic(k, k) * looped_hsic(l_, l_))
    assert float(debiased_cka(x, y)) == pytest.approx(expected, abs=1e-12)


def test_independent_data_have_no_similarity_once_debiased():
    rng = np.random.default_rng(1)
    pairs = rng.normal(size=(2, 200, 100, 16))
    plug_in = np.mean([plug_in_cka(x, y) for x, y in zip(*pairs, strict=True)])
    debiased = debiased_cka(*pairs)
    assert plug_in == pytest.approx(0.137, abs=0.003)
    assert abs(debiased.mean()) < 4 * debiased.std() / np.sqrt(200)  # four standard errors


def test_cka_does_not_see_rotation_scale_or_shift():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(20, 4)), rng.normal(size=(20, 3))
    moved = 5 * x @ ortho_group.rvs(4, random_state=0) + 100
    assert float(debiased_cka(moved, y)) == pytest.approx(float(debiased_cka(x, y)), abs=1e-9)


def test_a_constant_representation_has_no_cka():
    assert np.isnan(debiased_cka(np.ones((5, 2)), np.arange(10.0).reshape(5, 2)))


def test_with_all_variance_svcca_is_scikit_learn_s_mean_canonical_correlation():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(60, 3))
    y = x @ rng.normal(size=(3, 2)) + rng.normal(size=(60, 2))
    u, v = CCA(n_components=2, max_iter=5000, tol=1e-12).fit_transform(x, y)
    expected = np.mean([np.corrcoef(u[:, i], v[:, i])[0, 1] for i in range(2)])
    assert svcca(x, y, variance=1.0) == pytest.approx(expected, abs=1e-6)  # CCA is iterative


def test_svcca_drops_directions_without_variance():
    rng = np.random.default_rng(4)
    signal = rng.normal(size=(50, 1))
    x = np.hstack([signal, 1e-3 * rng.normal(size=(50, 5))])
    y = np.hstack([signal, 1e-3 * rng.normal(size=(50, 5))])
    assert svcca(x, y) == pytest.approx(1, abs=1e-5)
    assert svcca(x, y, variance=1.0) < 0.7


def test_too_few_samples_are_refused():
    with pytest.raises(DomainError, match="n ≥ 4 samples, got 3"):
        debiased_cka(np.ones((3, 2)), np.ones((3, 2)))


def test_the_samples_must_be_the_same():
    with pytest.raises(ShapeError, match="the same n samples"):
        svcca(np.ones((5, 2)), np.ones((6, 2)))


def test_a_share_of_variance_is_at_most_one():
    with pytest.raises(DomainError, match=r"in \(0, 1\], got 1.5"):
        svcca(np.ones((5, 2)), np.ones((5, 2)), variance=1.5)
