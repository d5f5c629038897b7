"""Every rule that chooses widths, through a whole run."""

import json

import pandas as pd
import pytest

from tests.experiment.running import VARIANTS, failed, kept_widths, succeeded, tensors


def test_widths_that_a_rho_gives(small):
    succeeded(small("run", "--set", "width.choose.rho=3.3"))
    for variant in VARIANTS:
        frame = pd.read_csv(small.directory / variant / "widths.csv").set_index("rho")
        expected = frame.loc[3.3, ["width_1", "width_2", "width_3"]]
        assert kept_widths(small, variant) == [max(1, int(width)) for width in expected]


@pytest.mark.parametrize("limit", [60, 90, 0.5])
def test_widths_within_a_number_or_a_share_of_the_parameters(small, limit):
    succeeded(small("run", "--set", f"width.choose.parameters={limit}"))
    for variant, full in (("published", 234), ("corrected_bias", 250)):
        most = limit if limit > 1 else limit * full
        compressed = tensors(small, variant, "compressed")
        count = sum(tensor.size for tensor in compressed.values())
        assert most - 40 < count <= most  # a unit of the first layer costs 30 to 37 parameters


@pytest.mark.parametrize("alpha", [1e-9, 0.5, 0.9, 1.0])
def test_fewest_units_with_enough_information(small, alpha):
    succeeded(small("run", "--set", f"width.choose.information={alpha}"))
    for variant in VARIANTS:
        path = small.directory / variant / "selection.json"
        layers = json.loads(path.read_text(encoding="utf-8"))["layers"]
        ratios = [layer["information"] for layer in layers]
        assert kept_widths(small, variant) == [len(ratio) for ratio in ratios]
        assert all(ratio[-1] >= alpha - 1e-12 for ratio in ratios)
        assert all(before < alpha for ratio in ratios for before in ratio[:-1])


def test_too_few_parameters_exit_2(small):
    message = failed(small("run", "--set", "width.choose.parameters=3"), code=2)
    assert "published: width.choose: parameters 3: " in message
    assert "expected at least 33" in message  # 30 + 1 + 1 + 1 weights of one unit per layer
