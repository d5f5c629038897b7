"""Every figure on data of many shapes: legible, nothing covered, told apart without colour."""

from __future__ import annotations

import itertools
from functools import partial

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.container import Container
from matplotlib.lines import Line2D
from matplotlib.text import Text
from numpy.testing import assert_allclose

from mini_exp.compare.figures import SHOWN, accuracy_figure
from mini_exp.config import Config, Settings, Study
from mini_exp.report import figures, image_figures, thesis
from mini_exp.spectral.published import STARTING_P
from mini_exp.steps import report
from mini_exp.study import figures as study_figures
from mini_exp.study.claims import mean_interval, share_interval
from mini_exp.types import (
    Dataset,
    History,
    ImageHistory,
    ImageMoments,
    LayerSelection,
    SecondMoments,
    Selection,
    WidthPath,
)

RHO = "thesis: full widths past $\\rho \\approx 0.09$"
WIDTHS = "thesis: widths (8, 3, 3)"
LOSS = "thesis: test loss 1.45"
OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
SMALLEST = 7  # pt
MINI_MODEL = (16, 12, 10)
DEEP = (16, 12, 10, 9, 8, 7, 6)


def width_path(n_rho=91, widths=MINI_MODEL, lambda_=None, start=0.01) -> WidthPath:
    rng = np.random.default_rng(n_rho)
    shape = (1, n_rho, len(widths))
    lambdas = np.full(shape, lambda_) if lambda_ is not None else 10 ** rng.normal(0, 2, shape)
    lambdas[0, n_rho // 2] = STARTING_P**2
    return WidthPath(
        rho=np.linspace(start, 10 * start, n_rho) if n_rho > 1 else np.array([start]),
        lambda_=lambdas,
        degrees_of_freedom=rng.uniform(1, widths, shape),
        width=rng.integers(1, np.array(widths), shape, endpoint=True),
        objective=rng.random((1, n_rho)),
        converged=rng.random((1, n_rho)) < 0.5,
    )


def dataset(n_train=100, n_test=99, scale=1.0) -> Dataset:
    rng = np.random.default_rng(1)
    x_train, x_test = (scale * rng.normal(size=(1, n, 30)) - 0.6 for n in (n_train, n_test))
    y_train, y_test = ((x.mean(axis=2) > -0.6).astype(float) for x in (x_train, x_test))
    return Dataset(x_train, y_train, x_test, y_test)


def history(epochs=200, spread=1.0) -> History:
    rng = np.random.default_rng(epochs)
    return History(*(1 + spread * rng.uniform(-1, 1, (4, 1, epochs))))


def moments(widths=MINI_MODEL, scale=1.0) -> SecondMoments:
    rng = np.random.default_rng(2)
    outputs = [np.maximum(scale * rng.normal(size=(100, m)), 0) for m in widths]
    sigma = tuple((x.T @ x)[None] for x in outputs)
    return SecondMoments(sigma, (), (), 100)


def selection(widths=MINI_MODEL, scale=1.0, best=True) -> Selection:
    rng = np.random.default_rng(3)
    layers = []
    for m in widths:
        ratio = np.sort(rng.random((1, m)))
        losses = {
            name: scale * np.sort(rng.random((1, m)))[:, ::-1] for name in ("A", "B", "theta")
        }
        optimum = {"information": ratio, **losses} if best else {}
        layers.append(LayerSelection(np.arange(m)[None], ratio, np.ones(1), losses, optimum))
    return Selection(tuple(max(1, m // 2) for m in widths), tuple(layers))


def image_moments(n_groups=5, flattened=True) -> ImageMoments:
    rng = np.random.default_rng(4)
    names = [f"features.{i}" for i in range(n_groups)]
    spectra = {name: np.sort(10 ** rng.normal(size=64))[::-1] for name in names}
    flat = {name: np.sort(10 ** rng.normal(size=200))[::-1] for name in names}
    units = dict.fromkeys(names, 32_768)
    return ImageMoments({}, spectra, flat if flattened else {}, units, 2000)


def image_history(epochs=12) -> ImageHistory:
    return ImageHistory(*np.random.default_rng(5).random((3, epochs)))


def summary(n_keep=3, half=0.05) -> pd.DataFrame:
    """As the comparison writes it."""
    rng = np.random.default_rng(6)
    rows = [("all", "original", "", 900_000)]
    for method, weights in SHOWN:
        rows += [(f"keep {k}", method, weights, 10**5 * (k + 1)) for k in range(n_keep)]
    rows += [("300k, exact", *SHOWN[0], 300_000)]
    frame = pd.DataFrame(rows, columns=["widths", "method", "weights", "parameters"])
    for stage in ("pruned", "finetuned"):
        frame[f"{stage}_test"] = rng.uniform(0.1, 0.9, len(frame))
        frame[f"{stage}_test_half"] = half
    return frame


VARIANTS = {
    "published": {
        "width": {
            "solver": "published",
            "boundary": "hidden",
            "rho": {"start": 0.01, "stop": 0.1, "num": 91},
        }
    },
    "published_bias": {
        "model": {"bias": True},
        "width": {
            "solver": "published",
            "boundary": "hidden",
            "rho": {"start": 0.01, "stop": 0.1, "num": 91},
        },
    },
    "corrected": {},
    "small": {"model": {"widths": [6, 5, 4]}, "width": {"choose": [3, 2, 2]}},
}


def study_config(names=tuple(VARIANTS), rho_num=19) -> Config:
    variants = {name: Settings.model_validate(VARIANTS[name]) for name in names}
    return Config(name="x", variants=variants, study=Study(rho_num=rho_num, resamples=50))


def replicates(config: Config, n=60, spread=1.0) -> pd.DataFrame:
    rng = np.random.default_rng(n)
    names = [
        *(f"{stage}_test" for stage in study_figures.STAGES),
        *(f"{name}_population" for name in (*study_figures.STAGES, *study_figures.CONTROLS)),
    ]
    frames = []
    for variant in config.variants:
        columns = {
            f"{name}_{measure}": 0.6 + spread * rng.uniform(-0.2, 0.4 + extra, n)
            for name in names
            for measure, extra in (("loss", 1), ("accuracy", 0))
        }
        full_from = np.where(rng.random(n) < 0.5, 0.05, np.nan)
        frames.append(pd.DataFrame({"variant": variant, "full_from": full_from, **columns}))
    return pd.concat(frames, ignore_index=True).assign(diverged=0)


def sweeps(config: Config) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    rows = []
    for variant, settings in config.variants.items():
        rho = np.linspace(settings.width.rho.start, settings.width.rho.stop, config.study.rho_num)
        for layer, width in enumerate(settings.model.widths, start=1):
            for solver in ("own", "exact"):
                bands = np.sort(rng.uniform(1, width, (len(rho), 3)), axis=1)
                rows += [(variant, solver, r, layer, *b) for r, b in zip(rho, bands, strict=True)]
    header = ["variant", "solver", "rho", "layer", "quantile_05", "median", "quantile_95"]
    return pd.DataFrame(rows, columns=header)


def sweep_arrays(config: Config, n=60) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(8)
    found = {}
    for variant, settings in config.variants.items():
        full = np.array(settings.model.widths, dtype=float)
        which = rng.random((n, config.study.rho_num, 1)) < 0.4
        found[f"{variant}.widths"] = np.where(which, full, full - 1)
        found[f"{variant}.exact_widths"] = np.where(which, full - 1, full - 1)
        found[f"{variant}.at_start"] = which[:, :, 0].astype(float)
    return found


def jump(names=tuple(VARIANTS), n=60, rho_num=19):
    config = study_config(names, rho_num)
    return study_figures.jump(config, sweep_arrays(config, n), replicates(config, n))


def of_study(name, names=tuple(VARIANTS), **shape):
    config = study_config(names)
    return getattr(study_figures, name)(config, replicates(config, **shape))


def widths_over_rho(names=tuple(VARIANTS), rho_num=19):
    config = study_config(names, rho_num)
    return study_figures.widths_over_rho(config, sweeps(config))


WITH_THESIS = (thesis.WIDTHS, thesis.JUMP)
DRAWN = {
    "widths": lambda: figures.widths_figure(width_path(), True, *WITH_THESIS),
    "widths, one rho": lambda: figures.widths_figure(width_path(1), True, *WITH_THESIS),
    "widths, equal": lambda: figures.widths_figure(width_path(lambda_=0.5), False),
    "widths, all zero": lambda: figures.widths_figure(width_path(lambda_=0.0), False),
    "widths, one layer": lambda: figures.widths_figure(width_path(widths=(16,)), True),
    "widths, seven layers": lambda: figures.widths_figure(width_path(widths=DEEP), True),
    "widths, of images": lambda: figures.widths_figure(
        width_path(33, (32, 32, 64, 64, 512), start=1000.0), False
    ),
    "dataset": lambda: figures.dataset_figure(dataset()),
    "dataset, one sample": lambda: figures.dataset_figure(dataset(1, 1)),
    "dataset, equal": lambda: figures.dataset_figure(dataset(scale=0.0)),
    "dataset, many samples": lambda: figures.dataset_figure(dataset(5000, 2000)),
    "loss": lambda: figures.loss_figure(history(), 1.45),
    "loss, 100 epochs": lambda: figures.loss_figure(history(100)),
    "loss, one epoch": lambda: figures.loss_figure(history(1)),
    "loss, equal": lambda: figures.loss_figure(history(spread=0.0)),
    "loss, diverging": lambda: figures.loss_figure(history(spread=5000.0)),
    "second moment": lambda: figures.second_moment_figure(moments(), 0, "sum"),
    "second moment, small": lambda: figures.second_moment_figure(moments(scale=1e-4), 1, "mean"),
    "second moment, large": lambda: figures.second_moment_figure(moments(scale=50), 2, "mean"),
    "second moment, zero": lambda: figures.second_moment_figure(moments(scale=0.0), 0, "mean"),
    "second moment, one unit": lambda: figures.second_moment_figure(moments((1,)), 0, "sum"),
    "second moment, many": lambda: figures.second_moment_figure(moments((128,)), 0, "sum"),
    "selection": lambda: figures.selection_figure(selection(), 0.5),
    "selection, one layer": lambda: figures.selection_figure(selection((16,)), 0.25),
    "selection, seven layers": lambda: figures.selection_figure(selection(DEEP), 0.5),
    "selection, one unit": lambda: figures.selection_figure(selection((1, 1, 1)), 1.0),
    "selection, large": lambda: figures.selection_figure(selection(scale=9e4, best=False), 0.5),
    "degrees of freedom": lambda: image_figures.dof_figure(image_moments()),
    "degrees of freedom, channels": lambda: image_figures.dof_figure(image_moments(1, False)),
    "degrees of freedom, deep": lambda: image_figures.dof_figure(image_moments(20)),
    "history": lambda: image_figures.history_figure(image_history(), image_history(2)),
    "history, one epoch": lambda: image_figures.history_figure(image_history(1), image_history(1)),
    "history, many epochs": lambda: image_figures.history_figure(
        image_history(100), image_history(100)
    ),
    "accuracy": lambda: accuracy_figure(summary()),
    "accuracy, one width": lambda: accuracy_figure(summary(1)),
    "accuracy, one network": lambda: accuracy_figure(summary(half=np.nan)),
    "distributions": partial(of_study, "table1_distributions"),
    "distributions, one replicate": partial(of_study, "table1_distributions", n=1),
    "distributions, equal": partial(of_study, "table1_distributions", spread=0.0),
    "distributions, other network": partial(of_study, "table1_distributions", ["small"]),
    "stages": partial(of_study, "stages"),
    "stages, one replicate": partial(of_study, "stages", ["published"], n=1),
    "stages, equal": partial(of_study, "stages", ["published", "corrected"], spread=0.0),
    "widths over rho": widths_over_rho,
    "widths over rho, two": partial(widths_over_rho, ["small"], 2),
    "jump": jump,
    "jump, one variant": partial(jump, ["corrected"], 1, 2),
}
ONE_OF_EACH = [name for name in DRAWN if "," not in name]


def labels(figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


@pytest.fixture
def drawn_texts(monkeypatch):
    """Every text that drawing a figure draws; not the tick labels outside the panels."""
    draw = Text.draw
    drawn: list[Text] = []

    def recording(text, renderer):
        if text.get_visible() and text.get_text().strip():
            drawn.append(text)
        draw(text, renderer)

    def texts_of(figure):
        drawn.clear()
        with figures.style(), monkeypatch.context() as patch:
            patch.setattr(Text, "draw", recording)
            figure.draw_without_rendering()
        return list(drawn)

    return texts_of


@pytest.mark.parametrize("name", DRAWN)
def test_nothing_is_covered_cut_off_or_too_small(drawn_texts, name):
    """Data are drawn inside the panels, so a legend outside of them covers none."""
    figure = DRAWN[name]()
    texts = drawn_texts(figure)
    assert [ax for ax in figure.axes if ax.get_legend()] == []
    legends = [legend.get_window_extent() for legend in figure.legends]
    panels = [ax.get_window_extent() for ax in figure.axes]
    covered = [(a, b) for a, b in itertools.product(legends, panels) if a.overlaps(b)]

    boxes = [(text.get_text(), text.get_window_extent()) for text in texts]
    inside = figure.bbox.contains
    cut_off = [
        text
        for text, box in [*boxes, *(("legend", box) for box in legends)]
        if not (inside(*box.p0) and inside(*box.p1))
    ]
    overlapping = [
        (a, b) for (a, box), (b, other) in itertools.combinations(boxes, 2) if box.overlaps(other)
    ]
    small = [text.get_text() for text in texts if 0.7 * text.get_fontsize() < SMALLEST]
    assert (covered, cut_off, overlapping, small) == ([], [], [], [])
    assert figure.get_figwidth() in (figures.PAGE, figures.COLUMN)


def look(handle) -> tuple[object, ...]:
    """What a printer without colours leaves of a legend's line."""
    if not isinstance(handle, Line2D):
        return str(handle.get_linestyle()), str(handle.get_linewidth())
    dashes = handle._unscaled_dash_pattern if handle.get_linestyle() != "None" else None
    hollow = handle.get_markerfacecolor() in ("none", "white")
    return str(dashes), handle.get_linewidth(), handle.get_marker(), hollow


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_lines_are_told_apart_without_colour(name):
    figure = DRAWN[name]()
    drawn = {
        label: handle[0] if isinstance(handle, Container) else handle
        for ax in figure.axes
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)
    }
    looks = [look(handle) for handle in drawn.values()]
    assert set(drawn) == set(labels(figure))
    assert len(set(looks)) == len(looks)


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_pdf_has_the_fonts_that_journals_want_and_nothing_of_the_user_s(name, monkeypatch):
    first = figures.rendered(DRAWN[name](), "pdf")
    assert b"/Type3" not in first
    assert b"/FontFile2" in first
    for key, value in {"font.size": 20, "axes.facecolor": "red", "pdf.compression": 0}.items():
        monkeypatch.setitem(mpl.rcParams, key, value)
    assert figures.rendered(DRAWN[name](), "pdf") == first


def test_colours_are_those_of_the_style_sheet():
    assert figures.COLOURS == OKABE_ITO
    assert len(figures.MARKERS) == len(figures.DASHES) == len(OKABE_ITO)


def test_thesis_s_widths_and_jump_are_marked():
    plain = figures.widths_figure(width_path(), True)
    figure = figures.widths_figure(width_path(), True, (8, 3, 3), 0.09)
    assert [label for label in labels(plain) if "thesis" in label] == []
    assert {label for label in labels(figure) if "thesis" in label} == {RHO, WIDTHS}
    top, bottom = figure.axes
    marked = [line.get_xydata().tolist() for line in bottom.lines[-3:]]
    assert marked == [[[0.09, 0], [0.09, 1]], [[0, 3], [1, 3]], [[0, 8], [1, 8]]]
    assert [text.get_text() for text in bottom.texts] == [r"$\hat m_2, \hat m_3$", r"$\hat m_1$"]
    assert [[0.09, 0], [0.09, 1]] in [line.get_xydata().tolist() for line in top.lines]


def test_thesis_s_test_loss_is_marked_at_the_last_epoch():
    star = figures.loss_figure(history(), 1.45).axes[0].lines[-1]
    assert star.get_xydata().tolist() == [[200, 1.45]]
    assert "thesis: test loss 1.45" in labels(figures.loss_figure(history(), 1.45))
    assert not any("thesis" in label for label in labels(figures.loss_figure(history())))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (VARIANTS["published"], {RHO, WIDTHS, LOSS}),
        (VARIANTS["published_bias"], {WIDTHS, LOSS}),
        (VARIANTS["corrected"], {WIDTHS, LOSS}),
        ({"train": {"epochs": 100}}, {WIDTHS}),
        (VARIANTS["small"], set()),
    ],
)
def test_the_thesis_is_marked_where_it_says_something(changes, expected):
    settings = Settings.model_validate(changes)
    widths = settings.model.widths
    files = {
        "dataset.npz": dataset(),
        "history.csv": history(settings.train.epochs),
        "covariance.npz": moments(widths),
        "widths.csv": width_path(widths=widths),
        "selection.json": selection(widths),
    }
    config = Config(name="x", variants={"a": settings})
    drawn = report._variant_figures(config, "a", files).values()
    found = {label for figure in drawn for label in labels(figure) if "thesis" in label}
    assert found == expected


def test_second_moments_of_a_network_share_their_colours():
    found = moments((16, 12, 10))
    scales = {
        (norm.vmin, norm.vmax)
        for norm in (
            figures.second_moment_figure(found, layer, "sum").axes[0].images[0].norm
            for layer in range(3)
        )
    }
    assert scales == {(0, max(values.max() for values in found.sigma))}


def band(collection) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper edge of a band, by place."""
    vertices = pd.DataFrame(collection.get_paths()[0].vertices, columns=["x", "y"])
    edges = vertices.groupby("x")["y"]
    return edges.min().to_numpy(), edges.max().to_numpy()


def test_stages_have_the_intervals_of_their_means():
    config = study_config(["published"])
    rows = replicates(config)
    ax = study_figures.stages(config, rows).axes[0]
    names = [f"{stage}_population_loss" for stage in study_figures.STAGES]
    expected = [mean_interval(rows[name].to_numpy(), config.study, 1701) for name in names]
    low, high = band(ax.collections[0])
    assert_allclose(low, [interval.low for interval in expected])
    assert_allclose(high, [interval.high for interval in expected])
    assert len(ax.patches) == len(study_figures.CONTROLS)


def test_stages_show_the_thesis_with_its_intervals():
    figure = of_study("stages", ["published", "small"])
    loss, other, accuracy, _ = figure.axes
    assert "thesis (99 test samples)" in labels(figure)
    assert loss.lines[-1].get_ydata().tolist() == [1.45, 0.90, 0.87]
    assert accuracy.lines[-1].get_ydata().tolist() == [0.52, 0.44, 0.60]
    assert other.lines[-1].get_marker() != "*"
    bars = np.array(accuracy.collections[-1].get_segments())[:, :, 1]
    assert ((bars[:, 0] < [0.52, 0.44, 0.60]) & (bars[:, 1] > [0.52, 0.44, 0.60])).all()


def test_shares_over_rho_have_wilson_intervals():
    config = study_config(["published"])
    arrays = sweep_arrays(config)
    ax = study_figures.jump(config, arrays, replicates(config)).axes[1]
    full = (arrays["published.widths"] == MINI_MODEL).all(axis=2)
    expected = [share_interval(column, config.study) for column in full.T]
    low, high = band(ax.collections[0])
    assert_allclose(low, [interval.low for interval in expected])
    assert_allclose(high, [interval.high for interval in expected])
