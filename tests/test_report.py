"""The report: numbers that agree with the artifacts, figures that show them, one page for all."""

from __future__ import annotations

import csv
import html.parser
import itertools
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.stats import binomtest

from mini_exp import artifacts
from mini_exp.config import keys, load_config
from mini_exp.errors import ArtifactError, DomainError
from mini_exp.report import figures, tables
from mini_exp.report.document import NOT_SHOWN, verdict
from mini_exp.report.page import report_html
from mini_exp.spectral.published import STARTING_P
from mini_exp.steps import report
from mini_exp.types import Dataset, History, WidthPath

STAGES = ("original", "compressed", "finetuned")
VARIANTS = ("published", "corrected_bias")
THESIS = {"test loss": (1.45, 0.90, 0.87), "accuracy": (0.52, 0.44, 0.60)}
MAKES = {
    "gen-mini": ("dataset.npz",),
    "train": ("original.safetensors", "history.csv"),
    "covariance": ("covariance.npz",),
    "estimate-width": ("widths.csv",),
    "select": ("selection.json", "compressed.safetensors"),
    "finetune": ("finetuned.safetensors", "finetune_history.csv", "evaluation.csv"),
}
FILES = tuple(itertools.chain(*MAKES.values()))


@pytest.fixture(scope="module")
def table1(tiny) -> list[dict[str, str]]:
    with (tiny.directory / "table1.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def markdown(tiny) -> str:
    return (tiny.directory / "report.md").read_text(encoding="utf-8")


def clopper_pearson(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    interval = binomtest(successes, n).proportion_ci(confidence, method="exact")
    return interval.low, interval.high


# Intervals


@pytest.mark.parametrize("n", [1, 2, 5, 30, 99, 100, 1000])
def test_binomial_interval_agrees_with_scipy(n):
    for successes in range(0, n + 1, max(1, n // 33)):
        np.testing.assert_allclose(
            tables.binomial_interval(successes, n), clopper_pearson(successes, n), atol=1e-12
        )


@pytest.mark.parametrize(("n", "confidence"), [(100_000, 0.95), (99, 0.5), (99, 0.999)])
def test_binomial_interval_of_large_samples_and_other_confidences(n, confidence):
    for successes in (0, 1, n // 2, n - 1, n):
        np.testing.assert_allclose(
            tables.binomial_interval(successes, n, confidence),
            clopper_pearson(successes, n, confidence),
            atol=1e-10,
        )


@pytest.mark.parametrize(
    ("successes", "n", "confidence"),
    [(0, 0, 0.95), (-1, 5, 0.95), (6, 5, 0.95), (1, 5, 0.0), (1, 5, 1.0), (1, 5, float("nan"))],
)
def test_binomial_interval_outside_its_domain(successes, n, confidence):
    with pytest.raises(DomainError, match=r"binomial interval: expected 0 ≤ successes ≤ n"):
        tables.binomial_interval(successes, n, confidence)


def test_intervals_of_the_thesis_overlap_pairwise(markdown):
    assert "the intervals of the thesis's 0.52, 0.44 and 0.60 overlap" in re.sub(
        r"\s+", " ", markdown
    )
    intervals = [clopper_pearson(round(99 * accuracy), 99) for accuracy in THESIS["accuracy"]]
    for (low_a, high_a), (low_b, high_b) in itertools.combinations(intervals, 2):
        assert max(low_a, low_b) < min(high_a, high_b)


def test_accuracy_of_100_samples_is_worth_a_tenth(markdown):
    assert "± 0.10" in markdown
    for n in (99, 100):
        low, high = clopper_pearson(n // 2, n)
        assert (high - low) / 2 == pytest.approx(0.10, abs=0.005)


def test_stated_error_of_the_population_rows_holds(markdown, table1):
    stated = float(re.search(r"own\s+error\s+is\s+below\s+(0\.\d+)", markdown)[1])
    rows = [row for row in table1 if row["measure"] == "population accuracy"]
    for row, stage in itertools.product(rows, STAGES):
        assert (float(row[f"{stage}_high"]) - float(row[f"{stage}_low"])) / 2 < stated


# Table 1


def test_table_1_has_the_numbers_of_the_thesis(table1):
    for row, (measure, numbers) in zip(table1[:2], THESIS.items(), strict=True):
        assert (row["protocol"], row["measure"], row["n"]) == ("thesis (2019)", measure, "99")
        assert tuple(float(row[stage]) for stage in STAGES) == numbers


def test_table_1_has_a_row_for_every_variant_and_measure(table1):
    measures = ("test loss", "accuracy", "population loss", "population accuracy")
    rows = [(row["protocol"], row["measure"]) for row in table1[2:]]
    assert rows == list(itertools.product(VARIANTS, measures))


def test_table_1_has_the_values_of_the_evaluation(tiny, table1):
    for row in table1[2:]:
        frame = pd.read_csv(tiny.directory / row["protocol"] / "evaluation.csv")
        split = "population" if row["measure"].startswith("population") else "test"
        frame = frame[frame["split"] == split].set_index("stage")
        column = "accuracy" if row["measure"].endswith("accuracy") else "loss"
        assert [float(row[stage]) for stage in STAGES] == list(frame.loc[list(STAGES), column])
        assert {int(row["n"])} == set(frame["n"])


def test_table_1_has_the_exact_interval_of_every_accuracy(table1):
    for row, stage in itertools.product(table1, STAGES):
        bounds = row[f"{stage}_low"], row[f"{stage}_high"]
        if row["measure"].endswith("loss"):
            assert bounds == ("", "")
            continue
        n = int(row["n"])
        expected = clopper_pearson(round(float(row[stage]) * n), n)
        np.testing.assert_allclose([float(bound) for bound in bounds], expected, atol=1e-12)


def cells(tiny, name: str) -> list[list[str]]:
    """The body of table1.md or table1.tex."""
    lines = (tiny.directory / name).read_text(encoding="utf-8").splitlines()
    if name.endswith(".md"):
        return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    body = lines[lines.index(r"\midrule") + 1 : lines.index(r"\bottomrule")]
    plain = [line.removesuffix(r"\\").replace(r"\_", "_") for line in body]
    return [[cell.strip() for cell in line.split("&")] for line in plain]


@pytest.mark.parametrize("name", ["table1.md", "table1.tex"])
def test_typeset_table_1_agrees_with_the_csv_at_the_printed_digits(tiny, table1, name):
    found = cells(tiny, name)
    assert len(found) == len(table1)
    protocol = ""
    for (first, measure, n, *printed), row in zip(found, table1, strict=True):
        protocol = first or protocol
        assert [protocol, measure, n] == [row["protocol"], row["measure"], row["n"]]
        for text, stage in zip(printed, STAGES, strict=True):
            value, *bounds = re.findall(r"\d+\.\d+", text)
            digits = len(value.partition(".")[2])
            assert digits >= 2
            assert value == f"{float(row[stage]):.{digits}f}"
            if measure == "accuracy":
                expected = [float(row[f"{stage}_low"]), float(row[f"{stage}_high"])]
                assert bounds == [f"{bound:.2f}" for bound in expected]


def test_latex_table_has_as_many_columns_as_it_declares(tiny):
    text = (tiny.directory / "table1.tex").read_text(encoding="utf-8")
    declared = re.match(r"\\begin\{tabular\}\{([lr]+)\}\n\\toprule\n", text)[1]
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {line.count("&") + 1 for line in rows} == {len(declared)}
    assert text.endswith("\\end{tabular}\n")


def test_report_shows_table_1(tiny, markdown):
    assert (tiny.directory / "table1.md").read_text(encoding="utf-8").strip() in markdown


# The verdict


def test_the_verdict_counts_improvements_on_the_population(tiny, markdown):
    scores = {}
    for variant in VARIANTS:
        frame = pd.read_csv(tiny.directory / variant / "evaluation.csv")
        scores[variant] = frame[frame["split"] == "population"].set_index("stage")
    lower = sum(f.loc["compressed", "loss"] < f.loc["original", "loss"] for f in scores.values())
    words = {0: "none", 2: "all"}
    shown = re.sub(r"\s+", " ", markdown)
    assert f"lowered the loss on fresh draws in {words.get(lower, lower)} of the 2" in shown
    assert "`mini-exp study` repeats it many times" in shown


def test_the_verdict_of_a_study_says_where_the_conclusion_holds(tiny):
    claims = pd.DataFrame(
        [
            *(("C1", "a", "holds"), ("C2", "a", "holds"), ("C2", "b", "does not hold")),
            *(("C9", "a", "holds"), ("C9", "b", "does not hold"), ("C6", "all", "does not hold")),
        ],
        columns=["claim", "variant", "verdict"],
    )
    counts = {"variants": 2, "loss_compressed": 0, "accuracy_compressed": 1}
    settings = load_config(tiny.config).variants["published"]
    run, conclusion, rest = verdict(settings, {**counts, "accuracy_finetuned": 2}, claims)
    assert "to (8, 3, 3) lowered the loss on fresh draws in none of the 2 variants" in run
    assert conclusion.endswith("(C9) holds for a and does not hold for b.")
    assert rest.startswith(
        "Of its 4 claims those that hold throughout are C1, those that hold nowhere C6; "
    )


# The pages


class Page(html.parser.HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture(scope="module")
def page(tiny) -> Page:
    return Page((tiny.directory / "report.html").read_text(encoding="utf-8"))


def test_html_report_needs_no_other_file(tiny, page):
    for tag, attributes in page.tags:
        assert tag not in ("script", "link", "iframe", "object", "embed")
        for name in ("src", "href", "srcset", "poster", "data"):
            assert (attributes.get(name) or "#").startswith(("data:", "#"))
    text = (tiny.directory / "report.html").read_text(encoding="utf-8")
    style = text.partition("<style>")[2].partition("</style>")[0]
    assert re.search(r"url\(|@import", style) is None


def test_html_report_shows_every_image_inline_with_a_text_and_a_size(page, markdown):
    images = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert len(images) == markdown.count("![") >= 7
    for image in images:
        assert image["role"] == "img"
        assert len(image["aria-label"]) > 10
        assert int(image["width"]) > 100
        assert int(image["height"]) > 100
    tags = [tag for tag, _ in page.tags]
    assert tags.count("figure") == tags.count("figcaption") == len(images)


def test_names_in_the_page_are_unique_and_links_land(page):
    names = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(names) == len(set(names))
    links = [attributes.get("href") or attributes.get("xlink:href") for _, attributes in page.tags]
    inside = {link.removeprefix("#") for link in links if link and link.startswith("#")}
    assert inside <= set(names)


def test_the_map_leads_to_every_step(page):
    start = page.tags.index(("ol", {"class": "steps"}))
    links = [attributes["href"] for tag, attributes in page.tags[start:] if tag == "a"]
    assert links == [f"#step-{i}-{name}" for i, name in enumerate(MAKES, start=1)]
    targets = [attributes.get("id") for tag, attributes in page.tags if tag == "h3"]
    assert targets[: len(links)] == [link.removeprefix("#") for link in links]


def test_the_map_shows_artifacts_settings_and_times(tiny, page):
    text = "".join(page.words)
    cards = text.partition("The six steps\n")[2].partition("The settings are published's")[0]
    records = json.loads((tiny.directory / "manifest.json").read_text())["steps"]
    for step, files in MAKES.items():
        seconds = sorted(f"{records[f'{variant}/{step}']['seconds']:.2f}" for variant in VARIANTS)
        assert f"Took {'–'.join(dict.fromkeys(seconds))} s" in cards
        for file in files:
            assert file in cards
    assert "data.n_test 99, data.epsilon 0.1, data.labels swapped" in cards
    assert "select.scope complement, select.theta 0.5, compress.weights slice" in cards


def test_only_the_page_tells_the_time(tiny, markdown):
    assert "class=" not in markdown
    page_text = (tiny.directory / "report.html").read_text(encoding="utf-8")
    finished = max(
        record["finished"]
        for key, record in json.loads((tiny.directory / "manifest.json").read_text())[
            "steps"
        ].items()
        if key != "report"
    )
    assert f"Made {finished}" in page_text


def test_numbers_in_a_column_have_the_same_digits(markdown):
    for table in re.findall(r"(?:^\|.*\|\n)+", markdown, re.M):
        _, rule, *rows = [line.strip("|\n").split("|") for line in table.splitlines()]
        for column, align in enumerate(rule):
            if align.endswith(":"):
                numbers = [re.search(r"\d+(\.\d+)?", row[column]) for row in rows]
                digits = {len(number[1] or "") for number in numbers if number}
                assert len(digits) <= 1, (rows[0], column)


def test_a_table_names_its_columns_and_groups_in_every_cell():
    text = "# T\n\n| A | B |\n|---|---:|\n| a<b | 1 |\n|  | 2 |\n|  |  |\n"
    html_text = report_html(text, {})
    cells = re.findall(r"<td([^>]*)>(.*?)</td>", html_text)
    assert [content for _, content in cells] == [
        *("a&lt;b", "1", '<span class="repeated">a&lt;b</span>', "2"),
        *('<span class="repeated">a&lt;b</span>', ""),
    ]
    assert [re.search('data-label="(.)"', attributes)[1] for attributes, _ in cells] == [
        "A",
        "B",
    ] * 3
    assert 'class="number"' in cells[1][0]
    assert 'class="number empty"' in cells[5][0]
    assert html_text.count('role="row"') == 4


def test_headings_are_anchors_as_on_github():
    html_text = report_html("# T\n\n## Step 2: gen-mini (4.3)!\n\n## Größe\n", {})
    assert '<h2 id="step-2-gen-mini-43">' in html_text
    assert '<a href="#größe">Größe</a>' in html_text


def test_equal_headings_have_different_anchors_as_on_github():
    html_text = report_html("# T\n\n## A b\n\n## A b\n\n### A b\n", {})
    assert re.findall(r'id="(a-[^"]*)"', html_text) == ["a-b", "a-b-1", "a-b-2"]


def test_a_number_and_its_percent_sign_stay_on_one_line():
    assert "<p>95\N{NO-BREAK SPACE}% of all</p>" in report_html("# T\n\n95 % of all\n", {})


def test_an_svg_without_a_size_is_refused():
    with pytest.raises(ArtifactError, match=r"a\.png: expected an SVG with a width and a height"):
        report_html("# T\n\n![What](a.png)\n", {"a.png": b"<svg></svg>"})


def test_html_report_is_one_page_with_language_and_title(page):
    tags = [tag for tag, _ in page.tags]
    assert [tags.count(tag) for tag in ("html", "head", "title", "body", "h1")] == [1] * 5
    assert dict(page.tags)["html"]["lang"] == "en"
    assert "tiny: Spectral Pruning, reproduced" in page.words


def test_html_report_has_the_tables_of_the_markdown(page, markdown):
    tables_in_markdown = len(re.findall(r"^\|[-|:]+\|$", markdown, re.MULTILINE))
    assert [tag for tag, _ in page.tags].count("table") == tables_in_markdown >= 5


def test_every_row_of_a_table_has_the_header_s_cells(markdown):
    for table in re.findall(r"(?:^\|.*\n)+", markdown, re.MULTILINE):
        cells = {len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}
        assert len(cells) == 1, table


def test_images_of_the_markdown_report_are_on_disk(tiny, markdown):
    paths = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", markdown)
    assert {f"figures/figure{number}.png" for number in range(1, 8)} <= set(paths)
    assert [path for path in paths if not (tiny.directory / path).is_file()] == []


def test_pages_have_no_template_residue(tiny, markdown):
    page_text = (tiny.directory / "report.html").read_text(encoding="utf-8")
    body = page_text.partition("</style>")[2]
    for text in (markdown, re.sub(r"<svg.*?</svg>", "", body, flags=re.S)):
        assert re.search(r"\{\{|\}\}|\{%|%\}|\bnan\b|\bNone\b", text) is None


def test_report_names_every_setting(markdown):
    assert NOT_SHOWN == ("data.kind", "model.kind")
    missing = [key for key in keys() if key not in NOT_SHOWN and f"`{key}`" not in markdown]
    assert missing == []


def test_report_names_every_step_and_slip(markdown):
    for number, step in enumerate(MAKES, start=1):
        assert f"### Step {number}: {step}\n" in markdown
    slips = markdown.partition("## Slips")[2].partition("\n## ")[0]
    assert re.findall(r"^\| (4\.\d\.\d)", slips, re.MULTILINE) == [
        *("4.1.2", "4.1.7", "4.1.1", "4.2.2", "4.2.3", "4.2.3"),
    ]
    assert "## The author's conventions" in markdown


# The figures

NAMES = [f"figures/figure{number}" for number in range(1, 8)] + [
    f"{variant}/figures/{name}"
    for variant in VARIANTS
    for name in ("widths", "dataset", "loss", "second_moment_1", "second_moment_2")
]


@pytest.mark.parametrize("name", NAMES)
def test_png_opens_and_is_large_enough(tiny, name):
    with Image.open(tiny.directory / f"{name}.png") as image:
        image.verify()
        assert min(image.size) > 300


@pytest.mark.parametrize("name", NAMES)
def test_pdf_has_no_date(tiny, name):
    content = (tiny.directory / f"{name}.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    assert content.rstrip().endswith(b"%%EOF")
    assert b"CreationDate" not in content
    assert b"ModDate" not in content


@pytest.mark.parametrize(
    ("number", "source"),
    [
        *((1, "published/figures/widths"), (2, "corrected_bias/figures/widths")),
        *((3, "published/figures/dataset"), (4, "published/figures/loss")),
        *((n + 4, f"published/figures/second_moment_{n}") for n in (1, 2, 3)),
    ],
)
@pytest.mark.parametrize("suffix", ["png", "pdf"])
def test_numbered_figures_are_those_of_the_variants(tiny, number, source, suffix):
    numbered = tiny.directory / "figures" / f"figure{number}.{suffix}"
    assert numbered.read_bytes() == (tiny.directory / f"{source}.{suffix}").read_bytes()


def test_figure_2_is_published_bias_whatever_the_order(tiny, tmp_path, monkeypatch):
    """The contract: Figures 1–7 of the thesis, from published and published_bias."""
    order = ("corrected_bias", "published", "published_bias")
    source = {"published_bias": "published"}
    results = {
        name: {file: read(tiny.directory / source.get(name, name) / file) for file in FILES}
        for name in order
    }
    text = "name: x\nvariants: {corrected_bias: BIAS, published: {}, published_bias: BIAS}"
    path = tmp_path / "c.yaml"
    path.write_text(text.replace("BIAS", "{model: {bias: true}}"), encoding="utf-8")
    monkeypatch.setattr(figures, "rendered", lambda figure, _: str(id(figure)).encode())
    monkeypatch.setattr(report, "report_html", lambda *_: "")
    pages = report.run(load_config(path), results, {}, [])
    assert pages["figures/figure1.png"] == pages["published/figures/widths.png"]
    assert pages["figures/figure2.png"] == pages["published_bias/figures/widths.png"]


def read(path: Path) -> object:
    return artifacts.read(path, artifacts.sha256(path))


def width_path() -> WidthPath:
    """Three ρ, two layers; the solver stops at its start for the second, unconverged."""
    start = STARTING_P**2
    return WidthPath(
        rho=np.array([0.02, 0.04, 0.06]),
        lambda_=np.array([[[0.5, 0.2], [start, start], [0.7, start]]]),
        degrees_of_freedom=np.array([[[3.2, 1.5], [5.9, 3.9], [2.5, 3.9]]]),
        width=np.array([[[4, 2], [6, 4], [3, 4]]]),
        objective=np.array([[1.0, 2.0, 3.0]]),
        converged=np.array([[True, False, True]]),
    )


def points(ax, *, hollow: bool) -> set[tuple[float, float]]:
    """The points drawn with markers of one kind."""
    lines = [line for line in ax.lines if line.get_marker() not in ("None", None, "")]
    chosen = [line for line in lines if (line.get_markerfacecolor() == "none") == hollow]
    return {(float(x), float(y)) for line in chosen for x, y in line.get_xydata()}


def test_widths_figure_has_hollow_markers_where_the_solver_failed():
    path = width_path()
    figure = figures.widths_figure(path, published=True)
    for ax, values in zip(figure.axes, (path.lambda_[0], path.width[0]), strict=True):
        hollow = {(0.04, float(value)) for value in values[1]}
        filled = {(path.rho[k], float(value)) for k in (0, 2) for value in values[k]}
        assert points(ax, hollow=True) == hollow
        assert points(ax, hollow=False) == filled


def test_widths_figure_shades_where_the_solver_stayed_at_its_start():
    for ax in figures.widths_figure(width_path(), published=True).axes:
        spans = [(p.get_x(), p.get_x() + p.get_width()) for p in ax.patches if p.get_width()]
        assert len(spans) == 1
        np.testing.assert_allclose(spans[0], (0.03, 0.05))


def test_widths_figure_says_what_its_marks_mean():
    legend = figures.widths_figure(width_path(), published=True).legends[0]
    labels = [text.get_text() for text in legend.get_texts()]
    assert {"layer 1", "layer 2"} < set(labels)
    assert [label for label in labels if "no success" in label] != []
    assert [label for label in labels if "not converged" in label] != []


def test_widths_figure_of_the_exact_solver_shades_nothing():
    figure = figures.widths_figure(width_path(), published=False)
    assert [list(ax.patches) for ax in figure.axes] == [[], []]


def test_widths_figure_labels_its_axes():
    top, bottom = figures.widths_figure(width_path(), published=True).axes
    assert r"\lambda" in top.get_ylabel()
    assert "units" in bottom.get_ylabel()
    assert bottom.get_xlabel() == r"$\rho$"
    assert bottom.get_ylim()[0] == 0


def test_widths_figure_of_one_rho():
    path = width_path()
    one = WidthPath(
        *(path.rho[1:2], path.lambda_[:, 1:2], path.degrees_of_freedom[:, 1:2]),
        *(path.width[:, 1:2], path.objective[:, 1:2], path.converged[:, 1:2]),
    )
    figure = figures.widths_figure(one, published=True)
    assert figures.rendered(figure, "png").startswith(b"\x89PNG")


def dataset(n_train: int, n_test: int) -> Dataset:
    rng = np.random.default_rng(0)
    x_train, x_test = rng.normal(size=(1, n_train, 30)), rng.normal(size=(1, n_test, 30))
    return Dataset(x_train, np.ones((1, n_train)), x_test, np.zeros((1, n_test)))


def test_dataset_figure_shows_every_sample():
    data = dataset(7, 5)
    figure = figures.dataset_figure(data)
    for ax, x in zip(figure.axes[:2], (data.x_train, data.x_test), strict=True):
        np.testing.assert_array_equal(ax.lines[0].get_ydata(), x[0].mean(axis=1))
        np.testing.assert_array_equal(ax.lines[0].get_xdata(), np.arange(1, x.shape[1] + 1))


@pytest.mark.parametrize(("n_train", "n_test"), [(1, 5), (5, 1)])
def test_dataset_figure_of_one_sample(n_train, n_test):
    figure = figures.dataset_figure(dataset(n_train, n_test))
    assert figures.rendered(figure, "png").startswith(b"\x89PNG")


def test_loss_figure_shows_both_losses_from_epoch_1():
    rng = np.random.default_rng(0)
    history = History(*rng.uniform(size=(4, 1, 6)))
    ax = figures.loss_figure(history).axes[0]
    lines = {line.get_label(): line for line in ax.lines}
    for label, values in (("training loss", history.loss), ("test loss", history.test_loss)):
        np.testing.assert_array_equal(lines[label].get_xdata(), np.arange(1, 7))
        np.testing.assert_array_equal(lines[label].get_ydata(), values[0])
    assert ax.get_xlabel() == "epoch"
    assert "nats" in ax.get_ylabel()


@pytest.mark.parametrize("layer", [0, 1, 2])
@pytest.mark.parametrize("variant", VARIANTS)
def test_second_moment_figure_shows_the_saved_matrix(tiny, variant, layer):
    folder = tiny.directory / variant
    scale = load_config(tiny.config).variants[variant].covariance.scale
    figure = figures.second_moment_figure(read(folder / "covariance.npz"), layer, scale)
    ax, bar = figure.axes
    with np.load(folder / "covariance.npz") as file:
        np.testing.assert_array_equal(ax.images[0].get_array(), file[f"sigma_{layer + 1}"])
    assert ax.get_xlabel() == ax.get_ylabel() == f"unit of layer {layer + 1}"
    assert f"{scale} over 100 samples" in bar.get_ylabel()


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg"])
def test_rendering_twice_gives_the_same_bytes(suffix):
    figure = figures.widths_figure(width_path(), published=True)
    again = figures.widths_figure(width_path(), published=True)
    first = figures.rendered(figure, suffix)
    assert first == figures.rendered(figure, suffix) == figures.rendered(again, suffix)
