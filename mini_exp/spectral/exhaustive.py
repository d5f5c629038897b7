"""The best index sets by trying all of them (4.1.6)."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from mini_exp.errors import DomainError
from mini_exp.spectral import Floats
from mini_exp.spectral.output_weight import output_aware_weight
from mini_exp.spectral.second_moment import RANK_TOLERANCE
from mini_exp.spectral.stacks import (
    checked_second_moment,
    operator_norm,
    power_of_two,
    quotient,
)

Scope: TypeAlias = Literal["complement", "full"]

MAX_ENUMERATED_WIDTH = 16
"""Up to this width all 2^m index sets are compared (65 536 of them, 0.3 GB)."""

_BLOCK = 256


def exhaustive_optimum(
    sigma: npt.ArrayLike, z: npt.ArrayLike, theta: float, scope: Scope
) -> dict[str, Floats]:
    """The best 𝒞, L^(A), L^(B) and L^(θ) that any index set of each size 1 … m reaches.

    Parameters
    ----------
    sigma : (..., m, m) float64
        m ≤ ``MAX_ENUMERATED_WIDTH``.
    z : (..., k, m) float64
    theta : float
    scope : {"full", "complement"}
        Of 𝒞, as in ``greedy_path`` or in ``greedy_complement_path``.

    Returns
    -------
    dict of (..., m) float64
        ``information`` (largest), ``A``, ``B``, ``theta`` (smallest).

    Raises
    ------
    DomainError
        If the layer is too wide to enumerate.

    Notes
    -----
    The residuals of all 2^m sets are made by doubling: those of J ∪ {j} from those of J. An
    eigenvalue problem for each would take most of the time, but a norm is at least ‖E‖²_F / tr E:
    the sets of a size are tried in the order of this bound, until it exceeds the best norm found.
    Well under a second for m = 16.

    References
    ----------
    Sørby (2019), (4.1.6), with the set's size as the constraint.
    """
    s = checked_second_moment(sigma, "exhaustive selection")
    m = s.shape[-1]
    if m > MAX_ENUMERATED_WIDTH:
        raise DomainError(f"exhaustive selection: expected m ≤ {MAX_ENUMERATED_WIDTH}, got {m}")
    z = np.asarray(z, dtype=np.float64)
    pairs = zip(s.reshape(-1, m, m), z.reshape(-1, *z.shape[-2:]), strict=True)
    optima = [_optimum(one_s, one_z, theta, scope) for one_s, one_z in pairs]
    return {
        name: np.stack([best[name] for best in optima]).reshape(s.shape[:-1]) for name in optima[0]
    }


def _optimum(s: Floats, z: Floats, theta: float, scope: Scope) -> dict[str, Floats]:
    """The optima of one layer of one network."""
    m = len(s)
    unit = power_of_two(s).item()  # squares of Σ must neither over- nor underflow
    s = s / unit
    variance = s.diagonal()
    # Z E Zᵀ has the largest eigenvalue of T E Tᵀ with the triangular T of Z = QT, which is smaller.
    triangular = np.asarray(np.linalg.qr(z, mode="r"))
    residual = np.empty((2**m, m, m))  # E of every J, J as a bit mask
    seen = np.empty((2**m, len(triangular), len(triangular)))  # T E Tᵀ
    residual[0], seen[0] = s, triangular @ s @ triangular.T
    size = np.zeros(2**m, dtype=np.int64)
    for j in range(m):
        old, new = slice(0, 2**j), slice(2**j, 2 ** (j + 1))
        pivot = residual[old, j, j]
        free = pivot > RANK_TOLERANCE * variance[j]
        v = residual[old, :, j] / np.sqrt(np.where(free, pivot, np.inf))[:, None]
        for stack, column in ((residual, v), (seen, v @ triangular.T)):
            np.multiply(column[:, :, None], column[:, None, :], out=stack[new])
            np.subtract(stack[old], stack[new], out=stack[new])
        residual[new, j, :] = residual[new, :, j] = 0.0
        size[new] = size[old] + 1

    trace = np.trace(residual, axis1=1, axis2=2)
    if scope == "full":
        weight = output_aware_weight(z, theta)
        total = float((weight * s).sum())
        unexplained = residual.reshape(2**m, -1) @ weight.ravel()
        information = quotient(total - unexplained, np.full(2**m, total))
    else:
        outside = (np.arange(2**m)[:, None] >> np.arange(m)) & 1 == 0
        left = outside @ variance  # tr Σ_{F,F}
        nothing = RANK_TOLERANCE * variance.sum()
        # Units in J have no residual, so tr E_{F,F} = tr E.
        information = quotient(left - trace, left, nothing)
    low_a, low_b = _norm_lower_bound(residual), _norm_lower_bound(seen)
    sets_of_size = [np.flatnonzero(size == k) for k in range(1, m + 1)]
    best = {"information": np.array([information[sets].max() for sets in sets_of_size])}
    for name, a, b in (("A", 1.0, 0.0), ("B", 0.0, 1.0), ("theta", theta, 1 - theta)):
        low = a * low_a + b * low_b
        smallest = []
        for sets in sets_of_size:
            ordered = sets[low[sets].argsort(kind="stable")]
            loss = np.inf
            # Blocks in the order of their lower bounds: the rest is worse once a bound is.
            for block in np.split(ordered, range(_BLOCK, len(ordered), _BLOCK)):
                if low[block[0]] > loss:
                    break
                norms = a * operator_norm(residual[block]) + b * operator_norm(seen[block])
                loss = min(loss, float(norms.min()))
            smallest.append(loss)
        best[name] = unit * np.array(smallest)
    return best


def _norm_lower_bound(stack: Floats) -> Floats:
    """‖E‖²_F / tr E, at most the operator norm of a positive semi-definite E: (k,)."""
    trace = np.trace(stack, axis1=1, axis2=2)
    squared = np.einsum("kij,kij->k", stack, stack)
    low: Floats = np.divide(squared, trace, out=np.zeros_like(trace), where=trace > 0)
    low *= 1 - 1e-9  # rounding must not drop the best set
    return low
