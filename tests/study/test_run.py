"""`mini-exp study` as a process: what it writes, and the same bits however it is run."""

import base64
import contextlib
import csv
import io
import json
import re
import shutil
import socket

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from mini_exp.cli import main
from mini_exp.report import drawing
from tests.blank_figures import blank_file
from tests.study.command import Study, chunks, without_study

FIGURES = ["jump", "stages", "table1_distributions", "widths_over_rho"]
MEASURED = ["claims.csv", "claims.md", "costs.json", "costs/measured.json"]  # with seconds in them


# What an undisturbed study writes


def test_an_undisturbed_study(undisturbed):
    assert (undisturbed.printed.code, undisturbed.printed.err) == (0, [])
    assert chunks(undisturbed.printed.out) == [(0, 49), (50, 99)]
    assert sorted(re.findall(r"(\d+) of 100,", "\n".join(undisturbed.printed.out))) == ["100", "50"]
    assert undisturbed.printed.out[-1] == f"Verdicts: {undisturbed.folder / 'claims.md'}"
    tables = ["replicates.csv", "scores.csv", "sweeps.csv", "table1.csv"]
    drawn = [f"figures/{name}.{suffix}" for name in FIGURES for suffix in ("pdf", "png")]
    stored = ["chunks/000000-000050.npz", "chunks/000050-000100.npz"]
    ledgers = ["chunks/ledger.json", "costs/ledger.json"]
    expected = ["config.yaml", "pages.json", *tables, *MEASURED, *drawn, *stored, *ledgers]
    assert sorted(undisturbed.digests()) == sorted(expected)


def test_replicates_have_a_row_per_variant_and_replicate(undisturbed):
    rows = pd.read_csv(undisturbed.folder / "replicates.csv")
    expected = [(variant, r) for variant in ("published", "corrected_bias") for r in range(100)]
    assert list(zip(rows["variant"], rows["replicate"], strict=True)) == expected
    scored = [
        f"{network}_{split}_{measure}"
        for network in (
            "original",
            "compressed",
            "finetuned",
            "scratch_twice",
            "constant",
            "logistic_x",
        )
        for split in ("train", "test", "population")
        for measure in ("loss", "accuracy")
    ]
    swept = ["not_converged", "full_from", "table1_rho", "exact_full_from", "exact_table1_rho"]
    known = [*scored, *swept, "parameters", *(f"information_{layer}" for layer in (1, 2, 3))]
    assert [name for name in known if name not in rows] == []
    assert np.isfinite(rows[scored]).all(axis=None)


def test_workers_compute_the_bits_of_any_other_process(undisturbed, hundred):
    rows = list(csv.DictReader(io.StringIO(undisturbed.replicates.decode())))
    compared = 0
    for name, values in hundred.items():
        variant, _, column = name.partition(".")
        own = [row[column] for row in rows if row["variant"] == variant and column in row]
        if own and values.ndim == 1:
            compared += 1
            assert np.array([float(cell) for cell in own]).tobytes() == values.tobytes(), name
    assert compared > 150


def test_every_claim_has_a_verdict(undisturbed):
    table = pd.read_csv(undisturbed.folder / "claims.csv")
    columns = "claim statement variant evidence estimate low high rule verdict control"
    assert list(table.columns) == columns.split()
    assert list(dict.fromkeys(table["claim"])) == [f"C{number}" for number in range(1, 11)]
    verdicts = {"holds", "does not hold", "holds only in the letter", "explained"}
    assert set(table["verdict"]) <= verdicts
    assert not table[["statement", "evidence", "rule"]].isna().any(axis=None)
    text = (undisturbed.folder / "claims.md").read_text(encoding="utf-8")
    by_claim = {part.split(":")[0]: part for part in text.split("\n### ")[1:]}
    for row in table.to_dict(orient="records"):
        assert row["statement"] in by_claim[row["claim"]]
        assert f"* **{row['variant']}: {row['verdict']}**" in by_claim[row["claim"]]


def test_costs_are_measured_at_the_thesis_s_sizes(undisturbed):
    costs = json.loads((undisturbed.folder / "costs.json").read_text(encoding="utf-8"))
    assert costs["evaluations"] == 375_750
    assert (costs["gram_dimension"], costs["gram_samples"]) == (32_768, 2000)
    assert 0 < costs["gram_degrees_of_freedom"] < 2000


def test_the_report_takes_up_the_study(finished, monkeypatch):
    """Every figure of the study is in the page itself."""
    monkeypatch.setattr(drawing, "rendered", blank_file)
    page = finished.results / "tiny" / "report.html"
    by_study = page.read_text(encoding="utf-8")
    page.unlink()
    arguments = ["report", str(finished.config), "--results", str(finished.results)]
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    for text in (by_study, page.read_text(encoding="utf-8")):
        assert "The study: do the claims hold?" in text
        assert "does not hold" in text
        for name in FIGURES:
            content = (finished.folder / "figures" / f"{name}.png").read_bytes()
            assert f"data:image/png;base64,{base64.b64encode(content).decode()}" in text
        assert re.findall(r'src="(?!data:)', text) == []


# The same bits, however it is run


@pytest.fixture(scope="module")
def sixty(undisturbed, tmp_path_factory):
    """60 replicates in one large chunk by one worker, beside another Dask cluster."""
    with socket.socket() as dashboard:
        with contextlib.suppress(OSError):  # then somebody else has it
            dashboard.bind(("", 8787))
            dashboard.listen()
        study = without_study(undisturbed, tmp_path_factory.mktemp("sixty") / "results")
        study.printed = study("--replicates", "60", "--chunk", "100", "--workers", "1")
    return study


@pytest.mark.long
def test_fewer_replicates_in_one_large_chunk_by_one_worker(undisturbed, sixty):
    assert sixty.printed.code == 0
    assert chunks(sixty.printed.out) == [(0, 59)]
    header, *rows = undisturbed.replicates.splitlines(keepends=True)
    expected = [row for row in rows if int(row.split(b",")[1]) < 60]
    assert len(expected) == 120
    assert sixty.replicates == b"".join([header, *expected])


@pytest.mark.long
def test_another_cluster_on_dask_s_usual_port_does_not_matter(sixty):
    assert sixty.printed.err == []


@pytest.fixture(scope="module")
def again(undisturbed, tmp_path_factory):
    """What the same call once more changes: what it printed, and which files have other bytes."""
    study = Study(undisturbed.config, tmp_path_factory.mktemp("again") / "results")
    shutil.copytree(undisturbed.results, study.results)
    before = study.digests()
    printed = study("--replicates", "100", "--workers", "2", module="mini_exp")
    after = study.digests()
    assert before.keys() == after.keys()
    return printed, {name for name in before if before[name] != after[name]}


def test_a_second_call_computes_nothing_and_writes_the_same(again):
    printed, changed = again
    assert (printed.code, printed.err) == (0, [])
    assert chunks(printed.out) == []
    assert "study: 2 of 2 chunks are there" in printed.out
    assert changed <= set(MEASURED)


def test_a_second_call_does_not_measure_costs_again(again):
    _, changed = again
    assert changed == set()


@pytest.mark.long
def test_an_external_scheduler(undisturbed, empty, scheduler):
    result = empty("--replicates", "100", "--scheduler", scheduler)
    assert (result.code, result.err) == (0, [])
    assert chunks(result.out) == [(0, 49), (50, 99)]
    assert empty.replicates == undisturbed.replicates
