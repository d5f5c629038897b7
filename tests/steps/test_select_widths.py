"""Step select: how many units the rule of ``width.choose`` leaves."""

import numpy as np
import pytest
import torch

from mini_exp.errors import ConfigError
from mini_exp.steps import select
from tests import oracles
from tests.steps.examples import WIDTHS, moments_of, path_of, samples, settings, state


def kept(path=None, bias=False, **width):
    """Widths of the network that the step returns."""
    config = settings(model={"widths": WIDTHS, "bias": bias}, width={"choose": width["choose"]})
    parameters, data = state(bias), samples()
    moments = moments_of(config, parameters, data)
    path = path or path_of([[1, 1, 1]])
    selection, compressed = select.run(config, data, parameters, moments, path)
    widths = tuple(len(compressed[f"layers.{layer}.weight"]) for layer in range(3))
    assert tuple(selection.widths.values()) == widths
    return widths


def test_explicit_widths_are_taken_as_they_are():
    assert kept(path_of([[7, 6, 5]]), choose=[4, 1, 5]) == (4, 1, 5)


@pytest.mark.parametrize(("rho", "expected"), [(0.25, (3, 3, 3)), (0.1, (7, 6, 5)), (9, (1, 1, 2))])
def test_widths_of_a_rho_are_at_least_1(rho, expected):
    path = path_of([[7, 6, 5], [3, 3, 3], [0, 1, 2]], [0.1, 0.25, 9.0])
    assert kept(path, choose={"rho": float(rho)}) == expected


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, (4, 3, 3)), (0.01, (1, 1, 1)), (1.0, WIDTHS)]
)
def test_a_share_of_every_layer(share, expected):
    assert kept(choose={"keep": share}) == expected


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("limit", [60, 150, 0.4, 1.0])
def test_widths_within_a_number_or_a_share_of_the_parameters(bias, limit):
    full = oracles.n_parameters((30, *WIDTHS, 1), bias)
    most = limit if isinstance(limit, int) else limit * full
    count = oracles.n_parameters((30, *kept(bias=bias, choose={"parameters": limit}), 1), bias)
    assert most - 40 < count <= most  # a unit of the first layer costs 31 to 38


def test_a_budget_that_no_network_keeps_is_refused():
    with pytest.raises(ConfigError, match=r"width.choose: parameters 10: .* at least 33.* got 10"):
        kept(choose={"parameters": 10})


def test_all_the_information_of_near_duplicates():
    """Two units that differ by a part in 10³: no rounding may leave the layer one unit."""
    config = settings(
        model={"widths": [4]}, width={"choose": {"information": 1.0}}, select={"theta": 1.0}
    )
    rng = np.random.default_rng(0)
    first = rng.standard_normal((4, 30))
    first[1] = first[0] + 1e-3 * first[1]
    parameters = {
        "layers.0.weight": torch.from_numpy(first),
        "layers.1.weight": torch.from_numpy(rng.standard_normal((1, 4))),
    }
    data = samples()
    moments = moments_of(config, parameters, data)
    selection, _ = select.run(config, data, parameters, moments, path_of([[1]]))
    assert selection.widths == {"layers.0": 4}


@pytest.mark.parametrize("alpha", [1e-9, 0.5, 0.9, 1.0])
def test_fewest_units_with_the_information(alpha):
    config = settings(width={"choose": {"information": alpha}})
    parameters, data = state(bias=False), samples()
    moments = moments_of(config, parameters, data)
    selection, _ = select.run(config, data, parameters, moments, path_of([[1, 1, 1]]))
    for layer in selection.groups:
        ratio = layer.path.information_ratio
        enough = [k + 1 for k in range(len(ratio)) if ratio[k] >= alpha - 1e-12]
        assert layer.width == min([*enough, len(ratio)])
