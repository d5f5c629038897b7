"""`mini-exp diagnose`: what it writes, what it keeps, what it refuses."""

import re
import shutil
import subprocess
import sys

import pandas as pd
import pytest

from mini_exp.diagnostics import instruments, run
from mini_exp.diagnostics.instruments import chosen_instruments, confidence
from mini_exp.errors import ArtifactError, MiniExpError
from mini_exp.results.results import load_results
from mini_exp.study import spread
from tests.conftest import Project, stub

SLOWEST = 600  # seconds until a process that hangs is killed


@pytest.fixture(scope="session")
def ran(diagnosed_file, tmp_path_factory):
    """The tiny experiment's six steps, without drawing. Only to be looked at."""
    project = Project(diagnosed_file, tmp_path_factory.mktemp("ran"))
    with pytest.MonkeyPatch.context() as patch:
        stub(patch)
        result = project("run")
    assert result.exit_code == 0, result.output
    return project


@pytest.fixture(scope="session")
def diagnosed(ran, tmp_path_factory, environment):
    """Four replicates by the real command, the report not drawn. Only to be looked at."""
    results = tmp_path_factory.mktemp("diagnosed") / "results"
    shutil.copytree(ran.results, results)
    command = ["diagnose", str(ran.config), "--results", str(results), "--replicates", "4"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.study.quick", *command, "--workers", "1"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=SLOWEST,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "diagnose: replicates 0–3, 4 of 4" in done.stdout
    return Project(ran.config, results)


def copied(project, tmp_path, monkeypatch):
    stub(monkeypatch)
    shutil.copytree(project.results, tmp_path / "results")
    return Project(project.config, tmp_path / "results")


@pytest.fixture
def before(ran, tmp_path, monkeypatch):
    """A copy of the run, not diagnosed."""
    return copied(ran, tmp_path, monkeypatch)


@pytest.fixture
def after(diagnosed, tmp_path, monkeypatch):
    """A copy of the diagnosed run; starting workers is an error."""

    def refused(*_):
        raise MiniExpError("started")

    monkeypatch.setattr(spread, "cluster", refused)
    return copied(diagnosed, tmp_path, monkeypatch)


def table(project, name):
    return pd.read_csv(project.directory / "diagnose" / name)


def test_every_file_is_there(diagnosed):
    folder = diagnosed.directory / "diagnose"
    figures = ("loss_split", "first_width", "alignment", "picks", "information")
    expected = {f"figures/{name}.{suffix}" for name in figures for suffix in ("png", "pdf")}
    expected |= {f"{name}.csv" for name in ("stages", "replicates", "interventions", "statements")}
    expected |= {"statements.md", "config.yaml", "pages.json"}
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    kept = {path for path in there if path.split("/")[0] in ("chunks", "run")}
    assert there - kept == expected


def test_stages_have_the_run_and_the_replicates(diagnosed):
    stages = table(diagnosed, "stages.csv")
    own = stages[(stages["quantity"] == "accuracy") & (stages["stage"] == "finetuned")]
    assert own["variant"].tolist() == ["published", "corrected_bias"]
    assert own["replicates"].tolist() == [4, 4]
    assert (own["low"] <= own["mean"]).all()
    assert (own["mean"] <= own["high"]).all()
    replicates = table(diagnosed, "replicates.csv")
    assert sorted(set(replicates["replicate"])) == [0, 1, 2, 3]


def test_the_run_s_accuracy_is_that_of_its_networks(diagnosed):
    stages = table(diagnosed, "stages.csv")
    for variant in ("published", "corrected_bias"):
        rows = stages[(stages["variant"] == variant) & (stages["quantity"] == "train loss")]
        evaluation = pd.read_csv(diagnosed.directory / variant / "evaluation.csv")
        expected = evaluation[evaluation["split"] == "train"].set_index("stage")["loss"]
        for stage, loss in rows.set_index("stage")["estimate"].items():
            assert loss == pytest.approx(expected[stage], rel=1e-10)


def test_interventions_are_means_with_intervals(diagnosed):
    rows = table(diagnosed, "interventions.csv")
    own = rows[(rows["network"] == "finetuned") & (rows["measure"] == "accuracy")]
    assert set(own["arm"]) == {"as it is", "centred", "orthogonal"}
    assert (rows["replicates"] == 4).all()
    assert (rows["low"] <= rows["mean"]).all()


def test_every_statement_has_a_verdict_and_evidence(diagnosed):
    rows = table(diagnosed, "statements.csv")
    assert rows["number"].nunique() == 32  # those of the slow instruments are not asked
    assert not rows[["verdict", "evidence", "rule", "place", "definition"]].isna().any(axis=None)
    text = (diagnosed.directory / "diagnose" / "statements.md").read_text(encoding="utf-8")
    for number in set(rows["number"]):
        assert f"### {number}: " in text


def test_the_report_asks_why(diagnosed):
    report = (diagnosed.directory / "report.md").read_text(encoding="utf-8")
    assert report.index("\n## Why?") < report.index("\n## Beside other pruners")
    assert "(diagnose/figures/first_width.png)" in report
    page = (diagnosed.directory / "report.html").read_text(encoding="utf-8")
    assert 'id="w1-what-compression-lowers-of-the-test-loss-is-over-confidence-alone"' in page


def test_a_second_call_computes_nothing(after):
    digests = after.digests()
    result = after("diagnose", "--replicates", "4", "--workers", "1")
    assert result.exit_code == 0, result.output
    assert "1 of 1 chunks are there" in result.stdout
    changed = {path for path, digest in after.digests().items() if digests[path] != digest}
    assert {path for path in changed if not path.endswith((".png", ".pdf", ".html"))} == set()


@pytest.mark.parametrize(
    "override", ["diagnose.rules.negligible=0.02", "diagnose.confidence=0.8", "study.rho_num=3"]
)
def test_what_only_sums_up_computes_nothing(after, override):
    result = after("diagnose", "--replicates", "4", "--workers", "1", "--set", override)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    "override", ["diagnose.seed=6", "diagnose.first_widths=[1]", "diagnose.n_population=100"]
)
def test_what_the_replicates_depend_on_computes_them_anew(after, override):
    result = after("diagnose", "--replicates", "4", "--workers", "1", "--set", override)
    assert (result.exit_code, result.stderr) == (1, "mini-exp: started\n")


def test_a_variant_of_which_every_replicate_diverged_is_named(after, monkeypatch):
    as_it_is = run.tables_of

    def without_published(arrays):
        tables = as_it_is(arrays)
        measured = tables["measured"]
        return tables | {"measured": measured[measured["variant"] != "published"]}

    monkeypatch.setattr(run, "tables_of", without_published)
    before = after.digests()
    result = after("diagnose", "--replicates", "4", "--workers", "1")
    expected = "diagnose: every replicate of published diverged; lower the learning rate"
    assert (result.exit_code, result.stderr) == (1, f"mini-exp: {expected}\n")
    assert after.digests() == before


def test_without_replicates_only_what_is_about_no_variant_and_theorems_are_decided(before):
    result = before("diagnose")
    assert result.exit_code == 0, result.output
    rows = table(before, "statements.csv")
    of_variants = rows[rows["variant"] != "all"]
    measured = of_variants["sort"] == "measured"
    assert set(of_variants["verdict"][measured]) == {"undecided"}
    assert of_variants["verdict"][~measured].tolist() == ["holds"]
    assert "undecided" not in set(rows["verdict"][rows["variant"] == "all"])
    assert table(before, "interventions.csv").empty
    assert "nan" not in (before.directory / "diagnose" / "statements.md").read_text("utf-8")


def timed(project, *options):
    """(variant, instrument) of every line that says how long a measurement took."""
    result = project("diagnose", *options)
    assert result.exit_code == 0, result.output
    lines = re.findall(r"^diagnose: (\S+) +(\S.*?) +\d+\.\d\d s$", result.stdout, re.MULTILINE)
    return [tuple(line) for line in lines]


def test_what_was_measured_on_the_run_says_its_seconds_and_is_kept(before):
    expected = [
        (variant, name)
        for variant in ("published", "corrected_bias")
        for name in chosen_instruments(None)
    ]
    assert timed(before) == expected
    assert timed(before) == []


@pytest.mark.parametrize(
    ("override", "again"),
    [("diagnose.bins=20", ["information"]), ("diagnose.confidence=0.8", ["reading"])],
)
def test_an_instrument_measures_anew_where_a_key_that_it_reads_changes(
    before, monkeypatch, override, again
):
    """None of the quick ones reads the confidence of its intervals."""
    monkeypatch.setitem(instruments.INSTRUMENTS, "reading", f"{__name__}")
    names = "diagnose.instruments=[confidence, information, reading]"
    timed(before, "--set", names)
    seen = timed(before, "--set", names, "--set", override)
    assert seen == [
        (variant, name) for variant in ("published", "corrected_bias") for name in again
    ]


def measure(stages, confidence):
    """An instrument, by this module's name."""
    return pd.DataFrame({"quantity": ["confidence"], "estimate": [confidence]})


def test_some_instruments(before):
    result = before("diagnose", "--set", "diagnose.instruments=[homogeneity, confidence]")
    assert result.exit_code == 0, result.output
    assert set(table(before, "stages.csv")["instrument"]) == {"homogeneity", "confidence"}
    report = (before.directory / "report.md").read_text(encoding="utf-8")
    assert "alignment.png" not in report


def refused(project, *options):
    result = project("diagnose", *options)
    assert result.stdout == ""
    assert not (project.directory / "diagnose" / "stages.csv").exists()
    (line,) = result.stderr.splitlines()
    return result.exit_code, line


def test_an_unknown_instrument_names_the_nearest(before):
    assert refused(before, "--set", "diagnose.instruments=[confidance]") == (
        2,
        "mini-exp: diagnose.instruments: no instrument 'confidance'; did you mean 'confidence'?",
    )


def test_a_missing_package_names_the_line_that_brings_it(before, monkeypatch):
    monkeypatch.setattr(confidence, "PACKAGES", ("ripser",), raising=False)
    monkeypatch.setattr(instruments.importlib.util, "find_spec", lambda _: None)
    assert refused(before, "--set", "diagnose.instruments=[confidence]") == (
        2,
        "mini-exp: diagnose.instruments: confidence needs ripser: pip install 'mini-exp[topology]'",
    )


@pytest.mark.parametrize("number", ["0", "-1"])
def test_there_is_at_least_one_replicate(before, number):
    code, line = refused(before, "--replicates", number)
    expected = f"--replicates: expected at least 1 and at most 1000000000, got {number}"
    assert (code, line) == (2, f"mini-exp: {expected}")


def test_a_width_narrows_the_first_layer(before):
    code, line = refused(before, "--set", "diagnose.first_widths=[17, 20]")
    assert code == 2
    assert "diagnose.first_widths: expected one of at most 16, the first layer of" in line


def test_a_stale_run_is_refused(before):
    code, line = refused(before, "--set", "train.epochs=4")
    assert code == 1
    assert "published: the results of train are stale: train.epochs was 3, is 4" in line
    assert line.endswith("make them with `mini-exp train`")


def test_a_run_comes_first(ran, tmp_path):
    code, line = refused(Project(ran.config, tmp_path / "nothing"))
    assert code == 1
    assert line.endswith("are missing; make them with `mini-exp gen-mini`")


def test_images_are_not_diagnosed(tmp_path):
    path = tmp_path / "digits.yaml"
    path.write_text("name: digits\ndata: {kind: digits}\nvariants: {a: {}}\n")
    assert refused(Project(path, tmp_path / "results")) == (
        2,
        f"mini-exp: {path}: data.kind: diagnose is for mini, got digits; see `compare`",
    )


def test_a_damaged_network_is_refused(before):
    path = before.directory / "published" / "finetuned.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    code, line = refused(before)
    assert code == 1
    assert "finetuned.safetensors is damaged or was replaced" in line


def test_python_reads_the_tables(diagnosed):
    diagnosis = load_results(diagnosed.directory).diagnosis
    for name in ("stages", "interventions", "statements", "replicates"):
        pd.testing.assert_frame_equal(getattr(diagnosis, name), table(diagnosed, f"{name}.csv"))


def test_python_names_the_command_where_there_is_none(ran):
    with pytest.raises(ArtifactError, match="`mini-exp diagnose`"):
        _ = load_results(ran.directory).diagnosis
