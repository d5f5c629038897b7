import numpy as np
import pytest

from mini_exp import prune
from mini_exp.errors import ConfigError, DomainError, MiniExpError
from tests.pruning.examples import assert_same, mlp, snapshot
from tests.pruning.pruned import assert_refused, vectors

BAD_SETTINGS = {
    "none": ({}, ConfigError, "exactly one of keep, .*information, got none"),
    "two": ({"keep": 0.5, "flops": 0.5}, ConfigError, "exactly one of.*got keep, flops"),
    **{
        f"keep {value}": ({"keep": value}, MiniExpError, "prune: keep: expected a share")
        for value in (0, 0.0, -0.5, 1.5, np.nan, np.inf, True, False, "0.5", [0.5])
    },
    **{
        f"{unit} {value}": ({unit: value}, MiniExpError, f"prune: {unit}: expected a share")
        for unit in ("parameters", "flops")
        for value in (0, 0.0, -0.5, 1.5, np.nan, True, False, "0.5")
    },
    "too few parameters": ({"parameters": 1e-4}, DomainError, "expected at least 15"),
    **{
        f"width {value!r}": ({"widths": {"0": value}}, ConfigError, "prune: widths: 0: expected")
        for value in (0, -1, 9, True, 3.0, "3", None)
    },
    "unknown group": ({"widths": {"9": 3}}, ConfigError, "widths: '9': no such group.*0, 2"),
    "output": ({"widths": {"4": 2}}, ConfigError, "widths: '4': no such group.*0, 2"),
    "number as a name": ({"widths": {0: 2}}, ConfigError, "widths: 0: no such group"),
    "list of widths": ({"widths": [4]}, ConfigError, "widths: expected 2 widths, of 0, 2, got 1"),
    "one width": ({"widths": 4}, MiniExpError, "prune: widths: "),
    **{
        f"theta {value!r}": ({"keep": 0.5, "theta": value}, MiniExpError, "prune: theta: ")
        for value in (-0.1, 1.1, np.nan, "0.5", None)
    },
    **{
        f"ridge {value!r}": ({"keep": 0.5, "ridge": value}, MiniExpError, "prune: ridge: ")
        for value in (-1e-9, np.nan, np.inf, "0", "Auto")
    },
    **{
        f"weights {value!r}": ({"keep": 0.5, "weights": value}, DomainError, "prune: weights: ")
        for value in ("fold", None, ["slice"])
    },
}


@pytest.mark.parametrize(("settings", "error", "match"), BAD_SETTINGS.values(), ids=BAD_SETTINGS)
def test_settings_outside_the_domain(settings, error, match, capfd):
    network = mlp()
    before = snapshot(network)
    assert_refused(lambda: prune(network, [vectors()], **settings), error, match, capfd)
    assert_same(before, snapshot(network))
