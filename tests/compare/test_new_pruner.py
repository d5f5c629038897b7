"""A pruner to compare with is a file and a line: two are registered and found in every table."""

import io

import numpy as np
import pandas as pd
import pytest

import mini_exp
from mini_exp.compare import pruners
from mini_exp.compare.networks import network_rows
from mini_exp.compare.pruners.pruner import NetworkPruner, RankingPruner
from mini_exp.compare.rows import frame_of
from mini_exp.compare.run import compare_pages
from mini_exp.compare.training import TrainedNetworks
from mini_exp.pruning.selection import GroupPath
from mini_exp.settings.sections import Compare
from mini_exp.settings.settings import Settings
from mini_exp.tasks.task import task_of


def last_paths(candidate):
    """The last channel first."""
    return [
        GroupPath(group, np.arange(group.width)[::-1].copy(), np.full(group.width, np.nan))
        for group in candidate.graph.groups
    ]


LAST = RankingPruner("last channels", last_paths)


def sliced(candidate, widths):
    """What `mini_exp.prune` makes of it without reconstruction."""
    names = (group.name for group in candidate.graph.groups)
    chosen = dict(zip(names, widths.tolist(), strict=True))
    network, batches = candidate.network, candidate.batches
    smaller, _ = mini_exp.prune(network, batches, widths=chosen, weights="slice")
    return smaller


SLICED = NetworkPruner("sliced", sliced)


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    settings = Settings.model_validate(
        {
            "data": {"kind": "digits", "n_train": 60, "n_validation": 20},
            "train": {"epochs": 1},
            "covariance": {"n_samples": 70},
            "finetune": {"epochs": 1},
            "compress": {"recover": {"steps": 2}},
        }
    )
    compare = Compare(networks=2, keep=(0.5,), parameters=(0.3,), theta=(0.5,))
    samples = task_of(settings.data).samples(settings.data, settings.seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pruners, "PRUNERS", (*pruners.PRUNERS, LAST, SLICED))
        trained = TrainedNetworks(tmp_path_factory.mktemp("trained"), settings, samples, "", False)
        rows = [
            row
            for r in range(2)
            for row in network_rows(compare, settings, samples, trained.network(r), r)
        ]
    return compare_pages(compare, settings, samples, frame_of(rows))


def table(pages, name):
    return pd.read_csv(io.BytesIO(pages[name]), keep_default_na=False)


def test_a_ranking_is_compressed_in_both_ways_and_fine_tuned(pages):
    rows = table(pages, "networks.csv").query("method == 'last channels'")
    assert set(rows["rule"]) == {"keep"}
    counts = rows.groupby(["network", "weights", "stage"]).size()
    assert dict(counts) == {
        (r, weights, stage): 1
        for r in (0, 1)
        for weights in ("reconstruct", "slice")
        for stage in ("pruned", "recovered", "finetuned")
    }


def test_a_pruner_of_whole_networks_is_there_at_every_width(pages):
    rows = table(pages, "networks.csv").query("method == 'sliced'")
    assert len(rows) == 2 * 3 * 3  # networks, width sets, stages
    assert set(rows["weights"]) == {""}


def test_summary_and_page_have_both(pages):
    summary = table(pages, "summary.csv")
    assert {"last channels", "sliced"} <= set(summary["method"])
    text = pages["compare.md"].decode()
    assert text.count("| last channels | slice |") == 1
    assert text.count("| sliced |") == 2 * 3  # its differences and its sections


def test_spectral_pruning_is_compared_with_it(pages):
    differences = table(pages, "differences.csv").query("other == 'sliced'")
    assert len(differences) == 3 * 3
    assert "| sliced |" in pages["differences.md"].decode()
