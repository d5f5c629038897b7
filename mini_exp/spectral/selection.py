"""Which units to keep: greedy (4.1.7) and exhaustive index sets, and their losses (4.1.3–4.1.5)."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from mini_exp.errors import DomainError, ShapeError
from mini_exp.spectral import Floats, Integers
from mini_exp.spectral.second_moment import RANK_TOLERANCE

Scope = Literal["complement", "full"]

GAIN_TOLERANCE = 1e-8

TIE_TOLERANCE = 1e-12
"""Candidates whose 𝒞 lies this close to the best are tied: rounding must not break ties."""

_BLOCK = 256

MAX_ENUMERATED_WIDTH = 16
"""Up to this width all 2^m index sets are compared (65 536 of them, 0.3 GB)."""


def scaled_output_matrix(next_weight: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Z = √c W with c = m / tr(WᵀW), so that R_z = ZᵀZ has trace m, as the identity has.

    Parameters
    ----------
    next_weight : (R, m_next, m) float64
        Weights W of the layer that reads these units.

    Returns
    -------
    z : (R, m_next, m) float64
        All zero where W is.
    scale : (R,) float64
        c, or 0 where W is zero.

    References
    ----------
    Sørby (2019), (4.1.4), with the scale that the text leaves open.
    """
    w = np.asarray(next_weight, dtype=np.float64)
    largest = np.abs(w).max(axis=(1, 2), keepdims=True, initial=0.0)
    unit = np.divide(w, largest, out=np.zeros_like(w), where=largest > 0)
    trace = (unit**2).sum(axis=(1, 2), keepdims=True)  # of the normalised W: cannot overflow
    root = np.sqrt(np.divide(w.shape[2], trace, out=np.zeros_like(trace), where=trace > 0))
    factor = np.divide(root, largest, out=np.zeros_like(root), where=largest > 0)
    scale = np.minimum(factor, np.sqrt(np.finfo(np.float64).max)) ** 2  # of weights below 1e-154
    return unit * root, scale[:, 0, 0]


def output_aware_weight(z: npt.ArrayLike, theta: float) -> Floats:
    """θI + (1 − θ)R_z with R_z = ZᵀZ: the weight in the trace form of (4.1.5).

    Parameters
    ----------
    z : (R, k, m) float64
    theta : float
        In [0, 1]; 1 looks at the units alone, 0 at what the next layer reads.

    Returns
    -------
    (R, m, m) float64

    References
    ----------
    Sørby (2019), (4.1.7), with the sign mended.
    """
    z = np.asarray(z, dtype=np.float64)
    if not 0 <= theta <= 1:
        raise DomainError(f"selection: expected θ in [0, 1], got {theta}")
    weight: Floats = theta * np.eye(z.shape[2]) + (1 - theta) * (z.swapaxes(1, 2) @ z)
    return weight


def greedy_path(
    sigma: npt.ArrayLike,
    weight: npt.ArrayLike | None = None,
    scope: Scope = "full",
    n_picks: int | None = None,
) -> tuple[Integers, Floats]:
    """Pick units one by one, each time the one with the largest information ratio 𝒞(J ∪ {j}).

    With the residual E = Σ − Σ_{·,J} Σ_{J,J}⁺ Σ_{J,·} and the weight M,

    * ``scope="full"``: 𝒞(J) = 1 − tr(M E) / tr(M Σ), over all units;
    * ``scope="complement"``: 𝒞(J) = 1 − tr(E_{F,F}) / tr(Σ_{F,F}) over the units F that are not
      in J, with unit weight (the published choice).

    Parameters
    ----------
    sigma : (R, m, m) float64
        Second moments; symmetric, positive semi-definite, possibly singular.
    weight : (R, m, m) float64, optional
        M, symmetric and positive semi-definite; the identity when omitted. Full scope only.
    scope : {"full", "complement"}
    n_picks : int, optional
        How many units to pick, m by default. Paths are nested: fewer picks are a prefix of more.

    Returns
    -------
    index_path : (R, n_picks) int64
        Order of picking. Of tied candidates the lowest index is taken.
    information_ratio : (R, n_picks) float64
        𝒞 after each pick, in [0, 1], non-decreasing; 1 where nothing is left to explain.

    Raises
    ------
    ShapeError, DomainError

    Notes
    -----
    A pivoted Cholesky factorisation Σ = LLᵀ + E grows by a column v = E_{·,j} / √E_{jj} per pick.
    Picking j lowers tr(M E) by gain_j = (E M E)_{jj} / E_{jj}; numerators and diag(E) follow
    each pick by an update in M v and E M v, so a pick costs O(m²), without an inverse. The ratio
    after a pick is exact to rounding. The updated gains, which only rank the candidates, lose
    digits with the square of Σ, so a unit whose residual is below ``GAIN_TOLERANCE`` of its own
    second moment (the picked units determine it but for a part in 10⁴) ranks as if its gain were
    0; one below ``RANK_TOLERANCE``, such as a dead unit, is never divided by. The complement scope
    keeps E itself and sums over the units left, since its differences would cancel.

    References
    ----------
    Sørby (2019), (4.1.7).

    Examples
    --------
    >>> index_path, ratio = greedy_path([[[1.0, 0.0], [0.0, 3.0]]])
    >>> index_path, ratio
    (array([[1, 0]]), array([[0.75, 1.  ]]))
    """
    s = _second_moment_stack(sigma)
    n_replicates, m, _ = s.shape
    if scope == "complement" and weight is not None:
        raise DomainError("selection: the complement scope has unit weight only")
    if weight is not None and np.shape(weight) != s.shape:
        raise ShapeError(f"selection: expected a weight {s.shape}, got {np.shape(weight)}")
    n_picks = m if n_picks is None else n_picks
    if not 1 <= n_picks <= m:
        raise DomainError(f"selection: expected 1 to {m} picks, got {n_picks}")

    # 𝒞 depends on the scale of neither Σ nor M; powers of two leave every digit as it is.
    s = s / _power_of_two(s)
    full_weight = None if weight is None else np.asarray(weight, dtype=np.float64)
    if full_weight is not None:
        full_weight = full_weight / _power_of_two(full_weight)
    replicate = np.arange(n_replicates)
    variance = np.diagonal(s, axis1=1, axis2=2).copy()
    weighted = s if full_weight is None else full_weight @ s  # M Σ
    total = np.trace(weighted, axis1=1, axis2=2)
    diagonal = variance.copy()  # of E
    numerator = np.einsum("rij,rij->rj", s, weighted)  # of the gains: diag(E M E)
    residual = s.copy() if scope == "complement" else None  # E
    nothing = RANK_TOLERANCE * variance.sum(axis=1, keepdims=True)
    factor = np.zeros((n_replicates, m, n_picks))  # L
    weighted_factor = np.zeros_like(factor)  # M L
    picked = np.zeros((n_replicates, m), dtype=bool)
    explained = np.zeros(n_replicates)  # of tr(M Σ)
    restored = np.zeros((n_replicates, m))  # of each unit's second moment: diag(Σ − E)
    index_path = np.empty((n_replicates, n_picks), dtype=np.int64)
    information_ratio = np.empty((n_replicates, n_picks))

    for k in range(n_picks):
        known = diagonal > GAIN_TOLERANCE * variance
        gain = np.divide(numerator, diagonal, out=np.zeros_like(numerator), where=known)
        gain = np.maximum(gain, 0.0)
        if residual is None:
            ratio = _ratio(explained[:, None] + gain, total[:, None])
        else:
            # Sums over the units left, not differences: units may differ by powers of ten.
            squares = np.where(np.eye(m, dtype=bool), 0.0, residual**2).sum(axis=1)
            gain = np.divide(squares, diagonal, out=np.zeros_like(squares), where=known)
            left = _sum_of_others(np.where(picked, 0.0, variance))
            ratio = _ratio(_sum_of_others(np.where(picked, 0.0, restored)) + gain, left, nothing)
        ratio[picked] = -np.inf
        j = (ratio >= ratio.max(axis=1, keepdims=True) - TIE_TOLERANCE).argmax(axis=1)

        index_path[:, k] = j
        picked[replicate, j] = True
        pivot = diagonal[replicate, j]
        some = pivot > RANK_TOLERANCE * variance[replicate, j]
        root = np.sqrt(np.where(some, pivot, np.inf))[:, None]
        row = factor[replicate, j, :k, None]
        v = (s[replicate, :, j] - (factor[:, :, :k] @ row)[:, :, 0]) / root
        u = (weighted[replicate, :, j] - (weighted_factor[:, :, :k] @ row)[:, :, 0]) / root  # M v
        v_u = (v * u).sum(axis=1, keepdims=True)
        explained += v_u[:, 0]
        restored += v**2
        if residual is None:
            information_ratio[:, k] = _ratio(explained, total)
        else:
            residual = residual - v[:, :, None] * v[:, None, :]
            residual[replicate, j, :] = residual[replicate, :, j] = 0.0
            left = np.where(picked, 0.0, variance).sum(axis=1)
            information_ratio[:, k] = _ratio(
                np.where(picked, 0.0, restored).sum(axis=1), left, nothing[:, 0]
            )
        if k + 1 == n_picks:
            break

        past = factor[:, :, :k].swapaxes(1, 2) @ u[:, :, None]
        e_u = (s @ u[:, :, None] - factor[:, :, :k] @ past)[:, :, 0]  # E M v
        numerator -= 2 * v * e_u - v**2 * v_u
        diagonal -= v**2
        factor[:, :, k], weighted_factor[:, :, k] = v, u
    return index_path, information_ratio


def index_set_losses(
    sigma: npt.ArrayLike, z: npt.ArrayLike, scale: npt.ArrayLike, index_path: Integers, theta: float
) -> dict[str, Floats]:
    """The losses L^(A), L^(B), L^(θ) of the index set after every pick, for w = 0.

    L^(A) = ‖E‖, L^(B) = ‖Z E Zᵀ‖ (largest eigenvalues), L^(θ) = θL^(A) + (1 − θ)L^(B), with the
    residual E of ``greedy_path``. E vanishes on the rows and columns of J, so the losses are the
    same whether F is the complement of J or all units.

    Parameters
    ----------
    sigma : (R, m, m) float64
    z : (R, k, m) float64
        As ``scaled_output_matrix`` returns it.
    scale : (R,) float64
        c with Z = √c W; the raw forms have W in place of Z.
    index_path : (R, n_picks) int64
    theta : float
        In [0, 1].

    Returns
    -------
    dict of (R, n_picks) float64
        ``A``, ``B``, ``theta``; ``B_raw`` and ``theta_raw`` with Z = W; ``information_raw``, the
        full-scope 𝒞 with R_z = WᵀW as it is.

    Notes
    -----
    O(m³) per pick: meant for narrow layers.

    References
    ----------
    Sørby (2019), (4.1.3)–(4.1.5), (4.1.7).
    """
    s, z = _second_moment_stack(sigma), np.asarray(z, dtype=np.float64)
    c = np.asarray(scale, dtype=np.float64)
    w = z / np.sqrt(np.where(c > 0, c, 1.0))[:, None, None]
    replicate = np.arange(len(s))
    total_raw = theta * np.trace(s, axis1=1, axis2=2) + (1 - theta) * _quadratic_trace(w, s)
    variance = np.diagonal(s, axis1=1, axis2=2)
    residual = s.copy()
    columns: dict[str, list[Floats]] = {name: [] for name in ("A", "B", "B_raw", "information_raw")}
    for j in index_path.T:
        pivot = residual[replicate, j, j]
        free = pivot > RANK_TOLERANCE * variance[replicate, j]
        v = residual[replicate, :, j] / np.sqrt(np.where(free, pivot, np.inf))[:, None]
        residual = residual - v[:, :, None] * v[:, None, :]
        residual[replicate, j, :] = residual[replicate, :, j] = 0.0
        explained = theta * np.trace(residual, axis1=1, axis2=2)
        explained = total_raw - explained - (1 - theta) * _quadratic_trace(w, residual)
        columns["A"].append(_operator_norm(residual))
        columns["B"].append(_operator_norm(z @ residual @ z.swapaxes(1, 2)))
        columns["B_raw"].append(_operator_norm(w @ residual @ w.swapaxes(1, 2)))
        columns["information_raw"].append(_ratio(explained, total_raw))
    losses = {name: np.stack(column, axis=1) for name, column in columns.items()}
    losses["theta"] = theta * losses["A"] + (1 - theta) * losses["B"]
    losses["theta_raw"] = theta * losses["A"] + (1 - theta) * losses["B_raw"]
    return losses


def exhaustive_optimum(
    sigma: npt.ArrayLike, z: npt.ArrayLike, theta: float, scope: Scope
) -> dict[str, Floats]:
    """The best 𝒞, L^(A), L^(B) and L^(θ) that any index set of each size 1 … m reaches.

    Parameters
    ----------
    sigma : (m, m) float64
        One layer of one network, m ≤ ``MAX_ENUMERATED_WIDTH``.
    z : (k, m) float64
    theta : float
    scope : {"full", "complement"}
        Of 𝒞, as in ``greedy_path``; the complement scope has unit weight.

    Returns
    -------
    dict of (m,) float64
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
    s, z = np.asarray(sigma, dtype=np.float64), np.asarray(z, dtype=np.float64)
    m = len(s)
    if m > MAX_ENUMERATED_WIDTH:
        raise DomainError(f"exhaustive selection: expected m ≤ {MAX_ENUMERATED_WIDTH}, got {m}")
    unit = float(_power_of_two(s[None])[0, 0, 0])  # squares of Σ must neither over- nor underflow
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
        weight = output_aware_weight(z[None], theta)[0]
        total = float((weight * s).sum())
        unexplained = residual.reshape(2**m, -1) @ weight.ravel()
        information = _ratio(total - unexplained, np.full(2**m, total))
    else:
        outside = (np.arange(2**m)[:, None] >> np.arange(m)) & 1 == 0
        left = outside @ variance  # tr Σ_{F,F}
        nothing = RANK_TOLERANCE * variance.sum()
        # Units in J have no residual, so tr E_{F,F} = tr E.
        information = _ratio(left - trace, left, nothing)
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
                norms = a * _operator_norm(residual[block]) + b * _operator_norm(seen[block])
                loss = min(loss, float(norms.min()))
            smallest.append(loss)
        best[name] = unit * np.array(smallest)
    return best


def _second_moment_stack(sigma: npt.ArrayLike) -> Floats:
    s = np.asarray(sigma, dtype=np.float64)
    if s.ndim != 3 or s.shape[1] != s.shape[2]:
        raise ShapeError(f"selection: expected second moments (R, m, m), got {s.shape}")
    if not np.isfinite(s).all():
        raise DomainError("selection: expected finite second moments")
    return s


def _power_of_two(stack: Floats) -> Floats:
    """The power of two next to each matrix's largest entry, 1 for a zero matrix: (R, 1, 1)."""
    largest = np.abs(stack).max(axis=(1, 2), keepdims=True)
    return np.exp2(np.floor(np.log2(np.where(largest > 0, largest, 1.0))))


def _ratio(numerator: Floats, denominator: Floats, nothing: Floats | float = 0.0) -> Floats:
    """numerator / denominator within [0, 1]; 1 where the denominator is at most ``nothing``."""
    shape = np.broadcast_shapes(numerator.shape, denominator.shape)
    ratio = np.divide(numerator, denominator, out=np.ones(shape), where=denominator > nothing)
    return np.clip(ratio, 0.0, 1.0)


def _sum_of_others(x: Floats) -> Floats:
    """Per entry of (R, m), the sum of the others in its row, without a difference."""
    before = np.cumsum(x, axis=1)[:, :-1]
    after = np.cumsum(x[:, ::-1], axis=1)[:, -2::-1]
    edge = np.zeros((len(x), 1))
    return np.hstack([edge, before]) + np.hstack([after, edge])


def _quadratic_trace(w: Floats, s: Floats) -> Floats:
    """tr(W S Wᵀ) per replicate."""
    trace: Floats = np.einsum("rki,rij,rkj->r", w, s, w, optimize=True)
    return trace


def _operator_norm(stack: Floats) -> Floats:
    """Largest eigenvalue of positive semi-definite matrices (k, m, m): (k,)."""
    norm: Floats = np.maximum(np.linalg.eigvalsh(stack)[:, -1], 0.0)
    return norm


def _norm_lower_bound(stack: Floats) -> Floats:
    """‖E‖²_F / tr E, at most the operator norm of a positive semi-definite E: (k,)."""
    trace = np.trace(stack, axis1=1, axis2=2)
    squared = np.einsum("kij,kij->k", stack, stack)
    low: Floats = np.divide(squared, trace, out=np.zeros_like(trace), where=trace > 0)
    low *= 1 - 1e-9  # rounding must not drop the best set
    return low
