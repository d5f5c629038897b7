"""Naive references, straight from the formulas. Nothing here imports mini_exp."""

from fractions import Fraction
from itertools import combinations, pairwise

import numpy as np
import scipy.optimize
import torch

# Second moment and degrees of freedom


def second_moment(phi):
    n, m = phi.shape
    sigma = np.zeros((m, m))
    for i in range(m):
        for j in range(m):
            for sample in range(n):
                sigma[i, j] += phi[sample, i] * phi[sample, j] / n
    return sigma


def degrees_of_freedom(sigma, lambda_):
    """tr[Σ(Σ + λI)⁻¹]; needs Σ + λI regular."""
    return np.trace(sigma @ np.linalg.inv(sigma + lambda_ * np.eye(len(sigma))))


def degrees_of_freedom_of(mu, lambda_):
    return sum((x / (x + lambda_) for x in mu if x > 0), 0.0 * lambda_)


# Width problem


def width_objective(spectra, lambdas, rho, regularizer, boundary):
    """For one λ per layer; with an array per layer, for all of them."""
    dof = [degrees_of_freedom_of(mu, lam) for mu, lam in zip(spectra, lambdas, strict=True)]
    widths = [boundary[0], *dof, boundary[1]]
    cost = sum(a * b for a, b in pairwise(widths))
    for lam in lambdas:
        cost = cost + rho * (lam if regularizer == "square" else lam**0.5)
    return cost


def smallest_width_objective(spectra, rho, regularizer, boundary, points=40):
    """Brute force over a grid of λ, 0 included; then, from every local minimum of the grid,
    Nelder-Mead in log λ (coordinates that are 0 stay) in turn with a fine grid per coordinate.
    """
    at_zero = width_objective(spectra, [0.0] * len(spectra), rho, regularizer, boundary)
    largest = at_zero / rho if regularizer == "square" else (at_zero / rho) ** 2
    if at_zero == 0:
        return 0.0
    lows = [
        min(1e-4 * min((x for x in mu if x > 0), default=largest), 1e-6 * largest) for mu in spectra
    ]
    grids = [np.concatenate([[0.0], np.geomspace(low, largest, points - 1)]) for low in lows]
    shape = (points,) * len(spectra)
    axes = np.meshgrid(*grids, indexing="ij", sparse=True)
    total = width_objective(spectra, axes, rho, regularizer, boundary)

    is_minimum = np.ones(shape, dtype=bool)
    for axis in range(len(shape)):
        padded = np.pad(total, [(int(i == axis),) * 2 for i in range(len(shape))], mode="edge")
        neighbours = np.moveaxis(padded, axis, 0)
        smallest = np.minimum(neighbours[:-2], neighbours[2:])
        is_minimum &= total <= np.moveaxis(smallest, 0, axis)
    starts = sorted(np.argwhere(is_minimum).tolist(), key=lambda index: total[tuple(index)])[:8]
    best = np.inf
    for start in starts:
        lam = np.array([grid[i] for grid, i in zip(grids, start, strict=True)])
        value = total[tuple(start)]
        for _ in range(20):
            before = value
            lam, value = _polished(spectra, lam, rho, regularizer, boundary)
            for layer, low in enumerate(lows):
                line = np.concatenate([[0.0], np.geomspace(low, largest, 500), lam[[layer]]])
                others = [line if k == layer else lam[k] for k in range(len(lam))]
                along = width_objective(spectra, others, rho, regularizer, boundary)
                lam[layer], value = line[along.argmin()], along.min()
            if value >= before * (1 - 1e-9):
                break
        best = min(best, value)
    return best


def _polished(spectra, lam, rho, regularizer, boundary):
    free = lam > 0

    def at(log_lambda):
        point = lam.copy()
        point[free] = np.exp(log_lambda)
        return point

    def objective(log_lambda):
        return width_objective(spectra, at(log_lambda), rho, regularizer, boundary)

    if not free.any():
        return lam, objective(np.empty(0))
    options = {"xatol": 1e-7, "fatol": 0.0, "maxiter": 2000, "maxfev": 4000}
    found = scipy.optimize.minimize(
        objective, np.log(lam[free]), method="Nelder-Mead", options=options
    )
    return at(found.x), found.fun


def published_gradient(spectra, p, rho, regularizer):
    gradient = []
    for layer in range(len(p)):
        own = spectra[layer]
        slope = 0.0
        for neighbour in (layer - 1, layer + 1):
            if neighbour in range(len(p)):
                derivative = -sum(2 * p[layer] * x / (x + p[layer] ** 2) ** 2 for x in own)
                slope += derivative * sum(x / (x + p[neighbour] ** 2) for x in own)
        slope += rho * (2 * sum(p) if regularizer == "square" else np.sign(p[layer]))
        gradient.append(slope)
    return np.array(gradient)


# Selection


def residual(sigma, index_set):
    """E = Σ − Σ_{·,J} Σ_{J,J}⁺ Σ_{J,·}, by way of the correlations, so that scale is no matter."""
    root = np.sqrt(np.diag(sigma))
    root[root == 0] = 1.0
    correlation = sigma / root[:, None] / root
    j = list(index_set)
    inverse = np.linalg.pinv(correlation[np.ix_(j, j)], rtol=1e-11, hermitian=True)
    left = correlation - correlation[:, j] @ inverse @ correlation[j]
    return left * root[:, None] * root


def information_ratio(sigma, index_set, weight=None, scope="full"):
    m = len(sigma)
    rest = [i for i in range(m) if i not in index_set]
    left = residual(sigma, index_set)
    if scope == "complement":
        total = sum(sigma[i, i] for i in rest)
        if total <= 1e-12 * np.trace(sigma):  # nothing but rounding
            return 1.0
        unexplained = sum(left[i, i] for i in rest)
    else:
        weight = np.eye(m) if weight is None else weight
        total = np.trace(weight @ sigma)
        unexplained = np.trace(weight @ left)
    return 1.0 if total == 0 else 1 - unexplained / total


def greedy_candidates(sigma, index_set, weight=None, scope="full"):
    """𝒞(J ∪ {j}) for every j; −1 for those in J and, in the full scope, for dead ones too soon."""
    left = [j for j in range(len(sigma)) if j not in index_set]
    live = [j for j in left if sigma[j, j] > 0] if scope == "full" else left
    return np.array(
        [
            information_ratio(sigma, [*index_set, j], weight, scope)
            if j in (live or left)
            else -1.0
            for j in range(len(sigma))
        ]
    )


def lowest_of_best(ratios, tie=1e-10):
    return next(j for j, ratio in enumerate(ratios) if ratio >= max(ratios) - tie)


def is_clear(ratios):
    """No ratio is so close to the best that a rounding error may decide."""
    gaps = max(ratios) - np.asarray(ratios)
    return not ((gaps > 1e-14) & (gaps < 1e-8)).any()


def greedy_path(sigma, weight=None, scope="full"):
    index_path, ratios, clear = [], [], True
    for _ in range(len(sigma)):
        candidates = greedy_candidates(sigma, index_path, weight, scope)
        clear &= is_clear(np.round(candidates, 12))
        index_path.append(lowest_of_best(candidates))
        ratios.append(candidates[index_path[-1]])
    return index_path, ratios, clear


def exact_residual(sigma, index_set):
    """E for a Σ of integers, in rational arithmetic: no rounding at all."""
    m = len(sigma)
    left = [[Fraction(int(x)) for x in row] for row in sigma]
    for j in index_set:
        pivot = left[j][j]
        if pivot:
            column = [left[i][j] / pivot for i in range(m)]
            row = left[j]
            left = [[left[i][k] - column[i] * row[k] for k in range(m)] for i in range(m)]
    return left


def exact_information_ratio(sigma, index_set):
    """𝒞 of the full scope with unit weight, for a Σ of integers."""
    left = exact_residual(sigma, index_set)
    total = sum(int(sigma[i][i]) for i in range(len(sigma)))
    return 1 - sum(left[i][i] for i in range(len(sigma))) / total


def index_set_losses(sigma, next_weight, index_set, theta, all_units):
    """L^(A), L^(B), L^(θ) with F = all units or the complement of J; W as it is."""
    m = len(sigma)
    f = list(range(m)) if all_units else [i for i in range(m) if i not in index_set]
    j = list(index_set)
    if not f:
        return 0.0, 0.0, 0.0
    cross = sigma[np.ix_(f, j)]
    left = sigma[np.ix_(f, f)] - cross @ np.linalg.pinv(sigma[np.ix_(j, j)], rtol=1e-11) @ cross.T
    seen = next_weight[:, f] @ left @ next_weight[:, f].T
    loss_a, loss_b = np.linalg.norm(left, 2), np.linalg.norm(seen, 2)
    return loss_a, loss_b, theta * loss_a + (1 - theta) * loss_b


def scaled_output(next_weight):
    """W with ‖W‖²_F = m: R_z = WᵀW has trace m."""
    size = sum(float(x) ** 2 for x in next_weight.ravel())
    return next_weight * (np.sqrt(next_weight.shape[1] / size) if size else 0.0)


def exhaustive_optimum(sigma, z, theta, scope):
    m = len(sigma)
    weight = theta * np.eye(m) + (1 - theta) * z.T @ z if scope == "full" else None
    best = {"information": [], "A": [], "B": [], "theta": []}
    for size in range(1, m + 1):
        sets = list(combinations(range(m), size))
        best["information"].append(max(information_ratio(sigma, j, weight, scope) for j in sets))
        losses = [index_set_losses(sigma, z, j, theta, all_units=True) for j in sets]
        for name, column in zip(("A", "B", "theta"), zip(*losses, strict=True), strict=True):
            best[name].append(min(column))
    return best


# Reconstruction


def reconstruction(phi, index_set, ridge_weight=0.0):
    """The smallest A with the least Ê‖φ − A φ_J‖² + w‖A‖²_F, from the activations (n, m)."""
    n, m = phi.shape
    j = list(index_set)
    inputs = np.vstack([phi[:, j] / np.sqrt(n), np.sqrt(ridge_weight) * np.eye(len(j))])
    targets = np.vstack([phi / np.sqrt(n), np.zeros((len(j), m))])
    return np.linalg.lstsq(inputs, targets, rcond=1e-10)[0].T


# Networks, one at a time


def forward(weights, biases, x):
    """Outputs of every layer for inputs (n, d), sample by sample, unit by unit."""
    outputs = [np.empty((len(x), len(weight))) for weight in weights]
    for sample in range(len(x)):
        value = x[sample]
        for layer, weight in enumerate(weights):
            after = np.zeros(len(weight))
            for unit in range(len(weight)):
                after[unit] = sum(weight[unit, k] * value[k] for k in range(len(value)))
                after[unit] += biases[layer][unit] if biases else 0.0
                if layer < len(weights) - 1:
                    after[unit] = max(after[unit], 0.0)
            value = outputs[layer][sample] = after
    return outputs


def scores(logits, y):
    """Mean binary cross-entropy and accuracy from probabilities; for moderate logits."""
    loss = correct = 0.0
    for logit, label in zip(logits, y, strict=True):
        probability = 1 / (1 + np.exp(-logit))
        loss -= np.log(probability if label == 1 else 1 - probability) / len(y)
        correct += ((probability > 0.5) == (label == 1)) / len(y)
    return loss, correct


def trained(weights, biases, x, y, order, batch_size, learning_rate):
    """An ordinary torch.nn.Sequential, trained by an ordinary loop; weights and biases (n_out, …).

    Returns the weights and biases of every layer, and the logits on x after every epoch.
    """
    layers = []
    for i, weight in enumerate(weights):
        linear = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=bool(biases))
        linear = linear.double()
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(weight))
            if biases:
                linear.bias.copy_(torch.from_numpy(biases[i]))
        layers += [linear, torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate, betas=(0.9, 0.999), eps=1e-7)
    loss_function = torch.nn.BCEWithLogitsLoss()
    logits = []
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # more only wait for each other with matrices this small
    for epoch in order:
        for start in range(0, len(epoch), batch_size):
            batch = epoch[start : start + batch_size]
            optimizer.zero_grad()
            loss_function(
                model(torch.from_numpy(x[batch]))[:, 0], torch.from_numpy(y[batch])
            ).backward()
            optimizer.step()
        with torch.no_grad():
            logits.append(model(torch.from_numpy(x))[:, 0].numpy())
    torch.set_num_threads(threads)
    linears = [layer for layer in model if isinstance(layer, torch.nn.Linear)]
    return (
        [layer.weight.detach().numpy() for layer in linears],
        [layer.bias.detach().numpy() for layer in linears] if biases else [],
        logits,
    )


def n_parameters(widths, bias):
    return sum(a * b + (b if bias else 0) for a, b in pairwise(widths))
