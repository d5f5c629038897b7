"""The study's figures on replicates of many shapes: legible, told apart, with their intervals."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from mini_exp.report.intervals import bootstrap_interval, share_interval
from mini_exp.settings.sections import Study
from mini_exp.settings.settings import Settings
from mini_exp.study import figures
from mini_exp.study.labels import control_labels
from mini_exp.study.variant_replicates import VariantReplicates
from tests.report.legibility import complaints, labels, looks

MINI_MODEL = (16, 12, 10)
STAGES = ("original", "compressed", "finetuned")
PUBLISHED = {
    "solver": "published",
    "boundary": "hidden",
    "rho": {"start": 0.01, "stop": 0.1, "num": 91},
}
VARIANTS = {
    name: Settings.model_validate(settings)
    for name, settings in {
        "published": {"width": PUBLISHED},
        "published_bias": {"width": PUBLISHED, "model": {"bias": True}},
        "corrected": {},
        "small": {"model": {"widths": [6, 5, 4]}, "width": {"choose": [3, 2, 2]}},
    }.items()
}
CONTROLS = tuple(control_labels(VARIANTS))


def replicates(names=tuple(VARIANTS), n=60, spread=1.0, rho_num=19) -> list[VariantReplicates]:
    """Scores around 0.7, the losses' with a long tail, and widths that are often full."""
    rng = np.random.default_rng(n)
    scores = [
        *(f"{stage}_test" for stage in STAGES),
        *(f"{name}_population" for name in (*STAGES, *CONTROLS)),
    ]
    frames, arrays = [], {}
    for variant in names:
        columns = {
            f"{name}_{measure}": 0.6 + spread * rng.uniform(-0.2, 0.4 + tail, n)
            for name in scores
            for measure, tail in (("loss", 1), ("accuracy", 0))
        }
        full_from = np.where(rng.random(n) < 0.5, 0.05, np.nan)
        frames.append(pd.DataFrame({"variant": variant, "full_from": full_from, **columns}))
        full = np.array(VARIANTS[variant].model.widths, dtype=float)
        which = rng.random((n, rho_num)) < 0.4
        arrays[f"{variant}.widths"] = np.where(which[:, :, None], full, full - 1)
        arrays[f"{variant}.exact_widths"] = np.broadcast_to(full - 1, (n, rho_num, len(full)))
        arrays[f"{variant}.at_start"] = which.astype(float)
    rows = pd.concat(frames, ignore_index=True).assign(diverged=0)
    study = Study(rho_num=rho_num, resamples=50)
    return [VariantReplicates(name, VARIANTS[name], study, rows, arrays) for name in names]


def distributions(*args, **shape):
    return figures.table1_distributions(replicates(*args, **shape))


def stages(*args, **shape):
    return figures.stages(replicates(*args, **shape))


def jump(*args, **shape):
    return figures.jump(replicates(*args, **shape))


def widths_over_rho(names=tuple(VARIANTS), rho_num=19):
    own = replicates(names, rho_num=rho_num)
    rng = np.random.default_rng(7)
    rows = []
    for one in own:
        for layer, width in enumerate(one.settings.model.widths, start=1):
            for solver in ("own", "exact"):
                bands = np.sort(rng.uniform(1, width, (rho_num, 3)), axis=1)
                for rho, band in zip(one.rho, bands, strict=True):
                    rows.append((one.variant, solver, rho, layer, *band))
    header = ["variant", "solver", "rho", "layer", "quantile_05", "median", "quantile_95"]
    return figures.widths_over_rho(own, pd.DataFrame(rows, columns=header))


DRAWN = {
    "distributions": distributions,
    "distributions, one replicate": partial(distributions, n=1),
    "distributions, equal": partial(distributions, spread=0.0),
    "distributions, other network": partial(distributions, ["small"]),
    "stages": stages,
    "stages, one replicate": partial(stages, ["published"], n=1),
    "stages, equal": partial(stages, ["published", "corrected"], spread=0.0),
    "widths over rho": widths_over_rho,
    "widths over rho, two": partial(widths_over_rho, ["small"], 2),
    "jump": jump,
    "jump, one variant": partial(jump, ["corrected"], 1, rho_num=2),
}
ONE_OF_EACH = [name for name in DRAWN if "," not in name]


@pytest.mark.parametrize("name", DRAWN)
def test_nothing_is_covered_cut_off_too_small_or_too_wide(name):
    assert complaints(DRAWN[name]()) == []


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_lines_are_told_apart_without_colour(name):
    seen = list(looks(DRAWN[name]()).values())
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_the_legend_names_every_labelled_line(name):
    figure = DRAWN[name]()
    assert set(looks(figure)) == set(labels(figure))


def band(collection) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper edge of a band, by place."""
    vertices = pd.DataFrame(collection.get_paths()[0].vertices, columns=["x", "y"])
    edges = vertices.groupby("x")["y"]
    return edges.min().to_numpy(), edges.max().to_numpy()


def test_stages_have_the_intervals_of_their_means():
    (own,) = replicates(["published"])
    ax = figures.stages([own]).axes[0]
    values = [own.column(f"{stage}_population_loss") for stage in STAGES]
    expected = [bootstrap_interval(one, 0.95, 50, own.settings.seed) for one in values]
    low, high = band(ax.collections[0])
    assert_allclose(low, [interval.low for interval in expected])
    assert_allclose(high, [interval.high for interval in expected])


def test_every_control_has_the_band_of_its_mean():
    ax = stages(["published"]).axes[0]
    assert len(ax.patches) == len(CONTROLS)


def test_stages_show_the_thesis_where_the_network_is_its_own():
    figure = stages(["published", "small"])
    loss, other, accuracy, _ = figure.axes
    assert "thesis (99 test samples)" in labels(figure)
    assert loss.lines[-1].get_ydata().tolist() == [1.45, 0.90, 0.87]
    assert accuracy.lines[-1].get_ydata().tolist() == [0.52, 0.44, 0.60]
    assert other.lines[-1].get_marker() != "*"


def test_the_thesis_s_accuracies_lie_in_their_intervals():
    accuracy = stages(["published"]).axes[1]
    low, high = np.array(accuracy.collections[-1].get_segments())[:, :, 1].T
    assert (low < [0.52, 0.44, 0.60]).all()
    assert (high > [0.52, 0.44, 0.60]).all()


def test_shares_over_rho_have_wilson_intervals():
    (own,) = replicates(["published"])
    ax = figures.jump([own]).axes[1]
    full = (own.sweep("widths") == MINI_MODEL).all(axis=2)
    expected = [share_interval(at_rho, 0.95) for at_rho in full.T]
    low, high = band(ax.collections[0])
    assert_allclose(low, [interval.low for interval in expected])
    assert_allclose(high, [interval.high for interval in expected])
