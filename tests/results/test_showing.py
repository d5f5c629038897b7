"""How results are shown: at a prompt, by rich, in a notebook; and those of a fresh clone."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pandas as pd
import pytest
import rich.console

import mini_exp
from mini_exp.results import Results
from mini_exp.results.comparison import COMPARISON
from mini_exp.results.study import STUDY
from tests.conftest import Project
from tests.results.conftest import MAKE_IT, STAGES, refused

LATER = {"cifar10": {"certificates.csv"}}
"""Tables that are newer than the committed comparison, whose README says so."""


def test_a_fresh_clone_shows_its_tables(committed: Path) -> None:
    results = mini_exp.load_results(committed)
    expected = pd.read_csv(committed / "table1.csv")
    pd.testing.assert_frame_equal(results.table1, expected, check_exact=True)
    for stage in STAGES:
        assert f"{expected[stage].iloc[0]:.2f}" in repr(results)
    assert repr(results).count("none; `mini-exp run` makes them") == len(results)
    path = committed / results.variants[0] / "dataset.npz"
    refused(lambda: results[results.variants[0]].dataset, f"{path}: cannot be read", MAKE_IT)


def test_a_fresh_clone_has_the_tables_of_the_study_or_of_the_comparison(committed: Path) -> None:
    results = mini_exp.load_results(committed)
    if results.config.study is not None:
        tables, names, folder = results.study, STUDY[:-1], "study"
    else:
        tables, names, folder = results.comparison, COMPARISON, "compare"
    for name in set(names) - LATER.get(committed.name, set()):
        frame = getattr(tables, name.removesuffix(".csv"))
        expected = pd.read_csv(committed / folder / name)
        pd.testing.assert_frame_equal(frame, expected, check_exact=True)


@pytest.mark.parametrize("committed", ["mini"], indirect=True)
def test_replicates_are_made_by_the_study(committed: Path) -> None:
    results = mini_exp.load_results(committed)
    path = committed / "study" / "replicates.csv"
    refused(
        lambda: results.study.replicates,
        f"{path}: cannot be read",
        "make it with `mini-exp study`",
    )


def test_where_nothing_was_repeated(project: Project) -> None:
    results = mini_exp.load_results(project.directory)
    path = project.directory / "study"
    refused(lambda: results.study, f"{path}: not a directory", "`mini-exp study`")
    path = project.directory / "compare"
    refused(lambda: results.comparison, f"{path}: not a directory", "`mini-exp compare`")
    command = "study" if project.config.stem == "tiny" else "compare"
    assert re.search(rf"^{command} +none; `mini-exp {command}` makes them$", repr(results), re.M)


def shown(results: Results) -> list[str]:
    """In the prompt, by rich and in a notebook."""
    console = rich.console.Console(file=io.StringIO(), width=120, force_terminal=True)
    with console.capture() as capture:
        console.print(results)
    return [repr(results), capture.get(), results._repr_html_()]


def test_every_way_to_show_says_the_same(project: Project) -> None:
    results = mini_exp.load_results(project.directory)
    words = ["Results of", results.name, *results.variants, "Table 1", "Fine tuned", "all 10 files"]
    words += [str(results[name].settings.seed) for name in results]
    words += [f"{value:.2f}" for value in results.table1["original"][:2]]
    for text in shown(results):
        for word in words:
            assert word in text
    assert repr(results).startswith(f"Results of {results.name} in {project.directory}\nVariant ")
    assert "\x1b" not in repr(results)
    assert repr(results[results.variants[0]]) == f"<variant {results.variants[0]}: all 10 files>"


def test_names_cannot_take_hold_of_a_page_or_a_terminal(copied: Path) -> None:
    odd = copied.with_name("<script>alert(1)<b>[red]")
    copied.rename(odd)
    (odd / "manifest.json").unlink()
    path = odd / "table1.csv"
    first = str(pd.read_csv(path)["protocol"].iloc[0])
    name = "<script>\x1b[31m[red]"
    path.write_bytes(path.read_bytes().replace(first.encode(), name.encode()))
    plain, terminal, page = shown(mini_exp.load_results(odd))
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 2
    for text in (plain, terminal, page):
        assert "\x1b[31m" not in text
        assert "\\x1b[31m[red]" in text
