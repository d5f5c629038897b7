"""`mini-exp compare`: what it writes, what it does again, what it refuses."""

import io
import json
import re

import pandas as pd
import pytest

from mini_exp.compare.labels import widths_label
from mini_exp.compare.networks import thetas
from mini_exp.compare.run import comparable
from mini_exp.errors import ConfigError
from mini_exp.settings.config import Config
from mini_exp.settings.sections import Compare
from mini_exp.settings.settings import Settings

TIMINGS = ["latency_ms", "pruning_seconds", "recovery_seconds"]


def folder_of(project):
    return project.directory / "compare"


def table(project, name="networks.csv"):
    return pd.read_csv(folder_of(project) / name, keep_default_na=False)


def config(data="digits", compare=True, **settings):
    first = Settings.model_validate({"data": {"kind": data}, **settings})
    return Config(name="x", variants={"a": first}, compare=Compare() if compare else None)


# What it writes


def test_rows_are_data(compared_once):
    rows = table(compared_once)
    keys = rows[["rule", "share", "exact"]].itertuples(index=False)
    widths = {widths_label(*key) for key in keys}
    assert widths == {
        *("all", "keep 0.5"),
        *(f"{b}, {k}" for b in ("parameters 0.3", "flops 0.4") for k in ("best", "uniform")),
    }
    assert set(rows["network"]) == {0, 1}
    assert set(rows["method"]) == {
        *("original", "spectral", "random", "L1 magnitude"),
        *("Torch-Pruning L1", "Torch-Pruning magnitude", "Torch-Pruning Taylor"),
        *("Torch-Pruning magnitude, global", "Torch-Pruning Taylor, global", "from scratch"),
    }
    assert set(rows.loc[rows["method"] == "spectral", "theta"]) == {"0.5", "1.0"}
    assert set(rows.loc[rows["method"] != "spectral", "theta"]) == {""}


def test_every_network_of_the_table_is_a_part(compared_once):
    parts = [table(compared_once, f"networks/{r:03d}.csv") for r in (0, 1)]
    pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), table(compared_once))


def test_equal_widths_have_equal_sizes_and_budgets_hold(compared_once):
    rows = table(compared_once)
    given = rows[~rows["method"].str.endswith("global")]
    sizes = given.groupby(["network", "rule", "share", "exact"])[["parameters", "flops"]].nunique()
    assert (sizes == 1).all().all()
    full = rows[rows["rule"] == "all"].iloc[0]
    for unit, share in (("parameters", 0.3), ("flops", 0.4)):
        assert (rows.loc[rows["rule"] == unit, unit] <= share * full[unit]).all()


def test_the_gap_is_that_of_the_best_widths_alone(compared_once):
    rows = table(compared_once)
    assert (rows.loc[rows["exact"], "gap"].astype(float) >= 0).all()
    assert set(rows.loc[~rows["exact"], "gap"]) == {""}


def test_the_report_takes_up_the_page(compared_once):
    report = (compared_once.directory / "report.md").read_text(encoding="utf-8")
    assert "### Spectral pruning minus others" in report
    assert "](compare/figures/accuracy.png)" in report


# What it does again


def test_a_second_comparison_does_nothing(compared, monkeypatch):
    monkeypatch.undo()  # draw in full, as the first did
    before = {path: path.read_bytes() for path in folder_of(compared).rglob("*.*")}
    result = compared("compare")
    assert result.exit_code == 0, result.output
    assert result.stdout.count("there, skipped") == 2
    assert {path: path.read_bytes() for path in folder_of(compared).rglob("*.*")} == before


def test_a_lost_network_comes_back_with_the_same_numbers(compared):
    before = (folder_of(compared) / "networks.csv").read_bytes()
    (folder_of(compared) / "networks" / "001.csv").unlink()
    result = compared("compare")
    assert result.exit_code == 0, result.output
    assert result.stdout.count("there, skipped") == 1
    old = pd.read_csv(io.BytesIO(before), keep_default_na=False)
    pd.testing.assert_frame_equal(
        table(compared).drop(columns=TIMINGS), old.drop(columns=TIMINGS), check_exact=True
    )


def test_what_no_row_depends_on_repeats_no_network(compared):
    changes = ("compare.confidence=0.9", "compress.weights=slice", "width.rho.num=2")
    options = [part for change in changes for part in ("--set", change)]
    result = compared("compare", *options)
    assert result.exit_code == 0, result.output
    assert result.stdout.count("there, skipped") == 2


def test_another_theta_starts_anew_and_is_what_the_differences_speak_of(compared):
    fewer = (
        *("compare.keep=[1]", "compare.parameters=[0.5]", "compare.flops=[]"),
        "compare.controls=false",
    )
    options = [part for key in (*fewer, "select.theta=0.25") for part in ("--set", key)]
    result = compared("compare", *options)
    assert result.exit_code == 0, result.output
    assert not re.search(r"^compare: .*there, skipped", result.stdout, re.M)
    assert set(table(compared, "differences.csv")["theta"]) == {0.25}
    assert set(table(compared, "budgets.csv")["theta"]) == {0.25}
    assert "(θ = 0.25, reconstruct)" in (folder_of(compared) / "compare.md").read_text("utf-8")


def test_the_ledger_names_its_parts(compared_once):
    ledger = json.loads((folder_of(compared_once) / "networks" / "ledger.json").read_text())
    assert set(ledger["parts"]) == {"000.csv", "001.csv"}


# What it refuses


def test_every_theta_is_compared_and_that_of_select_is_among_them():
    compare = Compare(theta=(1.0, 0.0))
    settings = config(select={"theta": 0.25}).first
    assert thetas(compare, settings) == [0.0, 0.25, 1.0]


def test_a_selection_without_theta_is_refused():
    with pytest.raises(ConfigError, match=r"select\.scope: expected 'full'.*got 'complement'"):
        comparable(config(select={"scope": "complement"}))


def test_a_theta_of_each_network_s_own_is_refused():
    with pytest.raises(ConfigError, match=r"select\.theta: expected a number to speak of.*'auto'"):
        comparable(config(select={"theta": "auto"}))


def test_an_experiment_without_images_is_refused():
    with pytest.raises(ConfigError, match=r"data\.kind: expected images, got mini; see `study`"):
        comparable(config("mini", compare=False))
