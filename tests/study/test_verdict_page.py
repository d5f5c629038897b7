"""claims.md, and what it calls the networks."""

import pandas as pd
import pytest

from mini_exp.settings.settings import Settings
from mini_exp.study.claims import all_claims
from mini_exp.study.costs import Costs
from mini_exp.study.labels import control_labels, network_labels
from mini_exp.study.summary import nearest_replicate, scores_table, table1_distribution
from mini_exp.study.verdict_page import claims_markdown
from tests.study.invented import NETWORKS, N, invented_arrays, invented_replicates


@pytest.fixture(scope="module")
def replicates():
    return invented_replicates(invented_arrays())


def test_claims_markdown_has_verdicts_counts_and_the_nearest_replicate(replicates):
    claims = all_claims(replicates, Costs(375_750, 0.1, 1.0, 2000, 32_768, 10.0, 0.1, 400.0))
    scores, distribution = scores_table(replicates), table1_distribution(replicates)
    text = claims_markdown(replicates, claims, scores, distribution)
    assert text.startswith("## The study")
    assert f"{N} replicates of every variant" in text
    assert "Diverged: a 1, b 1, two 1." in text
    assert "worse than the constant" in text
    for claim in claims:
        section = text.partition(f"### {claim.claim}: ")[2].partition("\n### ")[0]
        assert f"**{claim.variant}: {claim.verdict}**" in section
        assert section.count(claim.rule) == 1
        assert f"*Rule:* {claim.rule}." in text
    nearest = ", ".join(f"{nearest_replicate(own)} ({own.variant})" for own in replicates)
    assert nearest in text
    table = pd.DataFrame([line.split("|") for line in text.splitlines() if line.startswith("| C")])
    assert list(table[1].str.strip()) == [f"C{number}" for number in range(1, 11)]


def variants(*given):
    return {str(i): Settings.model_validate(settings) for i, settings in enumerate(given)}


def test_every_network_has_a_label():
    assert set(network_labels(variants({}))) == set(NETWORKS)
    assert set(control_labels(variants({}))) < set(NETWORKS)


@pytest.mark.parametrize(
    ("widths", "label"),
    [
        ([[8, 3, 3], [8, 3, 3]], "(8, 3, 3) from scratch"),
        ([[5, 4, 2]], "(5, 4, 2) from scratch"),
        ([[8, 3, 3], [8, 4, 3]], "the same widths from scratch"),
    ],
)
def test_networks_from_scratch_are_called_by_the_widths_of_the_settings(widths, label):
    given = variants(*({"width": {"choose": chosen}} for chosen in widths))
    assert network_labels(given)["scratch"] == label


@pytest.mark.parametrize(
    ("epochs", "longer"), [(200, "twice the epochs"), (50, "with the epochs of fine-tuning")]
)
def test_networks_from_scratch_are_called_by_the_epochs_of_the_settings(epochs, longer):
    given = variants({}, {"finetune": {"epochs": epochs}})
    assert network_labels(given)["scratch_twice"] == f"(8, 3, 3) from scratch, {longer}"
    assert control_labels(given)["scratch_twice"] == f"from scratch, {longer}"
