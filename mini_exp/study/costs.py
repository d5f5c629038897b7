"""C7 and C8 measured: what selection and a 32 768-dimensional layer cost."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mini_exp.spectral import Floats, Integers
from mini_exp.spectral.degrees_of_freedom import degrees_of_freedom, numerical_spectrum
from mini_exp.spectral.greedy import greedy_path
from mini_exp.spectral.output_weight import output_aware_weight, scaled_output_matrix
from mini_exp.spectral.second_moment import gram_spectrum


@dataclass(frozen=True)
class Costs:
    """Seconds and gigabytes on this machine."""

    evaluations: int
    naive_seconds: float
    greedy_seconds: float
    gram_samples: int
    gram_dimension: int
    gram_seconds: float
    gram_gigabytes: float
    gram_degrees_of_freedom: float  # N at λ = mean eigenvalue: that the spectrum is of use


def measured_costs(
    m: int = 1000, picks: int = 500, n_samples: int = 2000, dimension: int = 32_768
) -> Costs:
    """Measure both, with the thesis's sizes as defaults."""
    rng = np.random.default_rng(0)
    phi = rng.standard_normal((2 * m, m))
    sigma = phi.T @ phi / len(phi)
    z, _ = scaled_output_matrix(rng.standard_normal((m // 2, m)))
    weight = output_aware_weight(z, 0.5)
    start = time.perf_counter()
    greedy_path(sigma, weight, n_picks=picks)
    greedy = time.perf_counter() - start
    index_set = np.sort(rng.permutation(m)[: picks // 2])
    start = time.perf_counter()
    naive_information_ratio(sigma, weight, index_set)
    naive = time.perf_counter() - start

    tracemalloc.start()
    start = time.perf_counter()
    spectrum = numerical_spectrum(gram_spectrum(_channels(n_samples, dimension)))
    dof = degrees_of_freedom(spectrum, spectrum.mean())
    gram = time.perf_counter() - start
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return Costs(
        (picks + 1) * (2 * m - picks) // 2,
        naive,
        greedy,
        n_samples,
        dimension,
        gram,
        peak / 1e9,
        float(dof),
    )


def naive_information_ratio(sigma: Floats, weight: Floats, index_set: Integers) -> float:
    """One evaluation of 𝒞(J) straight from (4.1.7)."""
    columns = sigma[:, index_set]
    explained = columns @ np.linalg.solve(sigma[np.ix_(index_set, index_set)], columns.T)
    return float((weight * explained).sum() / (weight * sigma).sum())


def _channels(n_samples: int, dimension: int, n_channels: int = 32) -> Iterator[Floats]:
    """Synthetic ReLU outputs, one channel (n, dimension / n_channels) at a time."""
    rng = np.random.default_rng(0)
    factors = rng.standard_normal((n_samples, 64))
    for _ in range(n_channels):
        loadings = rng.standard_normal((64, dimension // n_channels)) / 8
        noise = 0.3 * rng.standard_normal((n_samples, dimension // n_channels))
        yield np.maximum(factors @ loadings + noise, 0)
