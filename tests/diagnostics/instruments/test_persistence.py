"""Homology against graphs, matrices of boundaries and shapes that are known."""

from itertools import combinations

import numpy as np
import pytest
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree
from scipy.spatial.distance import pdist, squareform

from mini_exp.diagnostics.instruments.persistence import (
    barcodes,
    betti_numbers,
    largest_betti_number,
    support_homology,
)
from mini_exp.errors import DomainError, ShapeError

pytest.importorskip("ripser", reason="the extra [topology] brings it")


def rank_mod_2(matrix):
    matrix, rank = matrix.copy() % 2, 0
    for column in range(matrix.shape[1]):
        rows = np.flatnonzero(matrix[rank:, column]) + rank
        if len(rows):
            matrix[[rank, rows[0]]] = matrix[[rows[0], rank]]
            for row in np.flatnonzero(matrix[:, column]):
                if row != rank:
                    matrix[row] ^= matrix[rank]
            rank += 1
    return rank


def betti_by_ranks(points, scale):
    """dim ker ∂₁ − rank ∂₂ (2.3.2), over the field of two elements."""
    near = squareform(pdist(points)) <= scale
    n = len(points)
    edges = [e for e in combinations(range(n), 2) if near[e]]
    triangles = [t for t in combinations(range(n), 3) if all(near[e] for e in combinations(t, 2))]
    one = np.zeros((n, max(len(edges), 1)), dtype=int)
    for k, (i, j) in enumerate(edges):
        one[[i, j], k] = 1
    two = np.zeros((max(len(edges), 1), max(len(triangles), 1)), dtype=int)
    for k, triangle in enumerate(triangles):
        for edge in combinations(triangle, 2):
            two[edges.index(edge), k] = 1
    first, second = rank_mod_2(one), rank_mod_2(two)
    return [n - first, len(edges) - first - second]


@pytest.mark.parametrize("seed", range(4))
def test_betti_numbers_are_those_of_the_boundary_matrices(seed):
    points = np.random.default_rng(seed).normal(size=(12, 2))
    bars = barcodes(points)
    for scale in (0.3, 0.7, 1.1, 2.0):
        assert betti_numbers(bars, scale) == betti_by_ranks(points, scale)


def test_components_are_those_of_the_graph():
    points = np.random.default_rng(0).normal(size=(60, 5))
    bars, distances = barcodes(points, 0), squareform(pdist(points))
    for scale in (0.5, 1.0, 2.0):
        assert betti_numbers(bars, scale)[0] == connected_components(distances <= scale)[0]


def test_components_die_at_the_edges_of_the_spanning_tree_up_to_float32():
    points = np.random.default_rng(1).normal(size=(40, 3))
    deaths = barcodes(points, 0)[0][:-1, 1]
    edges = np.sort(minimum_spanning_tree(squareform(pdist(points))).data)
    np.testing.assert_allclose(np.sort(deaths), edges, rtol=2e-6)  # ripser's float32
    assert (np.sort(deaths) != edges).any()


def test_a_circle_has_one_long_bar():
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    birth, death = barcodes(np.c_[np.cos(angle), np.sin(angle)])[1][0]
    assert birth == pytest.approx(2 * np.sin(np.pi / 40), rel=1e-6)
    assert death == pytest.approx(np.sqrt(3), abs=0.06)  # of the circle; a polygon is near it


def test_a_single_point_has_no_barcode():
    with pytest.raises(ShapeError, match="points"):
        barcodes(np.zeros((1, 2)))


X, Y = np.meshgrid(*[np.linspace(-2, 2, 81)] * 2)
SHAPES = {
    "disc": (X**2 + Y**2 < 1, (1, 0)),
    "ring": ((X**2 + Y**2 < 1.5) & (X**2 + Y**2 > 0.5), (1, 1)),
    "two discs": (((X - 1) ** 2 + Y**2 < 0.4) | ((X + 1) ** 2 + Y**2 < 0.4), (2, 0)),
    "nothing": (X > 9, (0, 0)),
    "everything": (X < 9, (1, 0)),
}


@pytest.mark.parametrize("name", SHAPES)
def test_the_support_has_the_holes_of_its_shape(name):
    support, expected = SHAPES[name]
    assert support_homology(support) == expected


def test_lines_make_as_many_regions_as_signs_are_seen():
    """Tangents of the unit circle, whose crossings lie within the square that is drawn from."""
    points = np.random.default_rng(0).uniform(-20, 20, (200_000, 2))
    for h in (1, 2, 3, 4, 5):
        angle = np.array([0.3, 1.9, 3.3, 4.4, 2.7])[:h]
        signs = points @ np.array([np.cos(angle), np.sin(angle)]) > 1
        assert len(np.unique(signs, axis=0)) == largest_betti_number(h)


def test_units_are_counted_from_zero():
    with pytest.raises(DomainError, match="h ≥ 0 units, got -1"):
        largest_betti_number(-1)
