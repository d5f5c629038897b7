"""`mini-exp study` as a process: what it writes, and what faults cost it."""

import base64
import contextlib
import csv
import dataclasses
import hashlib
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import psutil
import pytest
from click.testing import CliRunner

from mini_exp.cli import main
from mini_exp.config import load_config
from mini_exp.errors import ConfigError, MiniExpError
from mini_exp.report import figures as report_figures
from mini_exp.study import run
from mini_exp.study.replicates import BLOCK, sampled_data
from mini_exp.study.run import check_memory
from tests.blank_figures import blank_file

ROOT = Path(__file__).parents[2]
FIGURES = ["jump", "stages", "table1_distributions", "widths_over_rho"]
MEASURED = ["claims.csv", "claims.md", "costs.json"]  # with seconds in them
ADDRESSES = ["tcp://127.0.0.1:9", "nonsense", "tls://127.0.0.1:9"]
GUARD = 120  # seconds until a process that hangs is killed


@dataclasses.dataclass
class Study:
    """One experiment file and one results directory."""

    config: Path
    results: Path
    printed: SimpleNamespace | None = None

    @property
    def folder(self):
        return self.results / "tiny" / "study"

    @property
    def replicates(self):
        return (self.folder / "replicates.csv").read_bytes()

    def digests(self):
        return {
            str(path.relative_to(self.folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        }

    def started(self, *options, module="tests.study.quick"):
        """A process in a group of its own, as a terminal gives it."""
        command = ["-m", module, "study", str(self.config), "--results", str(self.results)]
        return subprocess.Popen(
            [sys.executable, *command, *options],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def __call__(self, *options, module="tests.study.quick", timeout=GUARD):
        return ended(self.started(*options, module=module), timeout)


def ended(process, timeout=GUARD):
    """Exit code, lines on standard output, lines on standard error."""
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    return SimpleNamespace(code=process.returncode, out=out.splitlines(), err=err.splitlines())


def chunks(lines):
    """(first, last) of every chunk that was computed."""
    found = [re.match(r"study: replicates (\d+)–(\d+), ", line) for line in lines]
    return sorted((int(match[1]), int(match[2])) for match in found if match)


def until_first_chunk(process):
    guard = threading.Timer(GUARD, os.killpg, (process.pid, signal.SIGKILL))
    guard.start()
    first = next((line for line in process.stdout if chunks([line])), None)
    guard.cancel()
    if first is None:
        pytest.fail(f"no chunk finished: {process.stderr.read()}")


@pytest.fixture(scope="module")
def undisturbed(config_file, tmp_path_factory):
    """100 replicates by the real command. Only to be looked at."""
    study = Study(config_file, tmp_path_factory.mktemp("undisturbed"))
    study.printed = study("--replicates", "100", "--workers", "2", module="mini_exp")
    return study


def without_study(undisturbed, results):
    shutil.copytree(undisturbed.results, results, ignore=lambda *_: {"study"})
    return Study(undisturbed.config, results)


@pytest.fixture
def empty(undisturbed, tmp_path):
    """The steps of the run are there, no study."""
    return without_study(undisturbed, tmp_path / "results")


@pytest.fixture
def finished(undisturbed, tmp_path):
    """A copy of the undisturbed study."""
    shutil.copytree(undisturbed.results, tmp_path / "results")
    return Study(undisturbed.config, tmp_path / "results")


@contextlib.contextmanager
def cluster():
    """A process that runs a cluster, and the address of its scheduler."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.study.cluster"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    yield process, process.stdout.readline().strip()
    process.communicate()


@pytest.fixture(scope="module")
def scheduler():
    """The address of a cluster that some other process runs."""
    with cluster() as (_, address):
        yield address


# What an undisturbed study writes


def test_an_undisturbed_study(undisturbed):
    assert (undisturbed.printed.code, undisturbed.printed.err) == (0, [])
    assert chunks(undisturbed.printed.out) == [(0, 49), (50, 99)]
    assert sorted(re.findall(r"(\d+) of 100,", "\n".join(undisturbed.printed.out))) == ["100", "50"]
    assert undisturbed.printed.out[-1] == f"Verdicts: {undisturbed.folder / 'claims.md'}"
    tables = ["replicates.csv", "scores.csv", "sweeps.csv", "table1.csv"]
    drawn = [f"figures/{name}.{suffix}" for name in FIGURES for suffix in ("pdf", "png")]
    stored = ["000000-000050.npz", "000050-000100.npz", "ledger.json"]
    expected = ["config.yaml", *tables, *MEASURED, *drawn, *(f"chunks/{name}" for name in stored)]
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
            "scratch_400",
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
    monkeypatch.setattr(report_figures, "rendered", blank_file)
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


def test_fewer_replicates_in_one_large_chunk_by_one_worker(undisturbed, sixty):
    assert sixty.printed.code == 0
    assert chunks(sixty.printed.out) == [(0, 59)]
    header, *rows = undisturbed.replicates.splitlines(keepends=True)
    expected = [row for row in rows if int(row.split(b",")[1]) < 60]
    assert len(expected) == 120
    assert sixty.replicates == b"".join([header, *expected])


def test_another_cluster_on_dask_s_usual_port_does_not_matter(sixty):
    assert sixty.printed.err == []


@pytest.fixture(scope="module")
def again(sixty):
    """What the same call once more changes: what it printed, and which files have other bytes."""
    before = sixty.digests()
    printed = sixty("--replicates", "60", "--chunk", "100", "--workers", "1")
    after = sixty.digests()
    assert before.keys() == after.keys()
    return printed, {name for name in before if before[name] != after[name]}


def test_a_second_call_computes_nothing_and_writes_the_same(again):
    printed, changed = again
    assert (printed.code, printed.err) == (0, [])
    assert chunks(printed.out) == []
    assert "study: 1 of 1 chunks are there" in printed.out
    assert changed <= set(MEASURED)


def test_a_second_call_does_not_measure_costs_again(again):
    _, changed = again
    assert changed == set()


def test_an_external_scheduler(undisturbed, empty, scheduler):
    result = empty("--replicates", "100", "--scheduler", scheduler)
    assert (result.code, result.err) == (0, [])
    assert chunks(result.out) == [(0, 49), (50, 99)]
    assert empty.replicates == undisturbed.replicates


# Faults


def test_a_worker_killed_in_mid_chunk(undisturbed, empty, tried):
    process = empty.started("--replicates", "100", "--workers", "1")
    until_first_chunk(process)
    workers = [
        child
        for child in psutil.Process(process.pid).children(recursive=True)
        if "spawn_main" in " ".join(child.cmdline())
    ]
    for worker in workers:
        worker.kill()
    assert len(workers) == 1
    stored = list((empty.folder / "chunks").glob("*.npz"))
    assert len(stored) == 1  # so it was in the middle of the other
    result = ended(process)
    assert (result.code, result.err) == (0, [])
    assert len(chunks(result.out)) == 1
    assert empty.replicates == undisturbed.replicates
    tried("SIGKILL of a study's worker", "success, same bytes")


def test_a_scheduler_lost_in_mid_study(undisturbed, empty, scheduler, tried):
    with cluster() as (process, address):
        running = empty.started("--replicates", "100", "--scheduler", address)
        until_first_chunk(running)
        process.kill()
        result = ended(running)
    assert (result.code, result.err) == (
        1,
        [
            "mini-exp: study: the scheduler is gone; finished chunks are kept: run the same "
            "command again"
        ],
    )
    assert [path.name for path in empty.folder.iterdir()] == ["chunks"]

    result = empty("--replicates", "100", "--scheduler", scheduler)
    assert (result.code, result.err) == (0, [])
    assert "study: 1 of 2 chunks are there" in result.out
    assert len(chunks(result.out)) == 1
    assert empty.replicates == undisturbed.replicates
    tried("a scheduler that is lost in mid-study", "one line, exit 1; next run: same bytes")


def test_interrupted_and_resumed(undisturbed, empty, scheduler, tried):
    """Ctrl-C reaches the whole group of processes."""
    process = empty.started("--replicates", "100", "--workers", "1")
    until_first_chunk(process)
    os.killpg(process.pid, signal.SIGINT)
    result = ended(process)
    assert (result.code, len(result.err)) == (130, 1)
    assert "interrupted" in result.err[0]
    assert [path.name for path in empty.folder.iterdir()] == ["chunks"]

    result = empty("--replicates", "100", "--scheduler", scheduler)
    assert (result.code, result.err) == (0, [])
    assert "study: 1 of 2 chunks are there" in result.out
    assert len(chunks(result.out)) == 1
    assert empty.replicates == undisturbed.replicates
    tried("SIGINT during study", "exit 130, one line; next run: same bytes")


def test_a_damaged_chunk_is_computed_again(undisturbed, finished, scheduler, tried):
    path = finished.folder / "chunks" / "000050-000100.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    (finished.folder / "replicates.csv").unlink()
    result = finished("--replicates", "100", "--scheduler", scheduler)
    assert (result.code, result.err) == (0, [])
    assert "study: 1 of 2 chunks are there" in result.out
    assert chunks(result.out) == [(50, 99)]
    assert finished.replicates == undisturbed.replicates
    tried("a study's chunk with a flipped bit", "computed again, same bytes")


@pytest.mark.parametrize("damage", ["flipped", "truncated", "gone"])
def test_a_damaged_chunk_is_missing(config, tmp_path, damage):
    ledger = run._Ledger(config, tmp_path)
    for start in (0, 50):
        ledger.add(start, start + 50, {"a": np.arange(50.0)})
    path = tmp_path / "chunks" / "000050-000100.npz"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content if damage == "flipped" else content[:100])
    if damage == "gone":
        path.unlink()
    found = run._Ledger(config, tmp_path)
    assert (found.has(0, 50), found.has(50, 100), found.has(0, 100)) == (True, False, False)


@pytest.mark.parametrize("damage", [b"", b"[]", b'{"made_for": 1}', b"\xff\xfe"])
def test_a_damaged_ledger_makes_every_chunk_missing(config, tmp_path, damage):
    ledger = run._Ledger(config, tmp_path)
    ledger.add(0, 50, {"a": np.zeros(50)})
    assert run._Ledger(config, tmp_path).has(0, 50)
    ledger.path.write_bytes(damage)
    assert not run._Ledger(config, tmp_path).has(0, 50)


@pytest.mark.parametrize(
    "override",
    [
        *("study.rho_num=4", "study.n_population=201", "train.epochs=3", "seed=1", "dtype=float32"),
        "variants.published.select.theta=0.3",
    ],
)
def test_a_changed_setting_makes_chunks_stale(config_file, config, tmp_path, override):
    run._Ledger(config, tmp_path).add(0, 50, {"a": np.zeros(50)})
    changed = load_config(config_file, [override])
    assert not run._Ledger(changed, tmp_path).has(0, 50)
    assert run._Ledger(config, tmp_path).has(0, 50)


@pytest.mark.parametrize(
    "override", ["study.confidence=0.9", "study.resamples=50", "study.rules.majority=0.6"]
)
def test_a_changed_rule_leaves_chunks_as_they_are(config_file, config, tmp_path, override):
    run._Ledger(config, tmp_path).add(0, 50, {"a": np.zeros(50)})
    assert run._Ledger(load_config(config_file, [override]), tmp_path).has(0, 50)


def test_a_variant_of_which_every_replicate_diverges(undisturbed, finished, scheduler):
    """With another learning rate; the chunks of the study that is there are of no use."""
    setting = "variants.corrected_bias.train.learning_rate=1e300"
    result = finished("--replicates", "50", "--scheduler", scheduler, "--set", setting)
    assert (result.code, len(result.err)) == (1, 1)
    assert "every replicate of a variant diverged; lower the learning rate" in result.err[0]
    assert chunks(result.out) == [(0, 49)]
    assert not any("chunks are there" in line for line in result.out)
    assert finished.replicates == undisturbed.replicates


@pytest.fixture(scope="module")
def unreachable(config_file, tmp_path_factory):
    """A study for each address, all started at once: they wait most of the time."""
    found = {}
    for address in ADDRESSES:
        study = Study(config_file, tmp_path_factory.mktemp("unreachable") / "results")
        found[address] = study, study.started("--scheduler", address)
    return found


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_unreachable_scheduler(unreachable, address, tried):
    study, process = unreachable[address]
    result = ended(process, timeout=15)
    assert (result.code, result.out, len(result.err)) == (1, [], 1)
    assert f"--scheduler {address}: cannot be reached" in result.err[0]
    assert not study.folder.exists()
    tried("a scheduler that cannot be reached", "one line, exit 1")


# Numbers that cannot be


@pytest.mark.parametrize(
    "options",
    [
        *(["--replicates", "0"], ["--replicates", "-3"], ["--chunk", "7"], ["--chunk", "0"]),
        *(["--chunk", "-50"], ["--workers", "0"], ["--workers", "-1"], ["--replicates", "many"]),
        ["--set", "variants.corrected_bias.width.choose.rho=3"],
        ["--set", "study.rho_num=1"],
    ],
    ids=" ".join,
)
def test_numbers_out_of_range(config_file, tmp_path, monkeypatch, options):
    def refused(*_):
        raise MiniExpError("started")

    monkeypatch.setattr(run, "_cluster", refused)
    arguments = ["study", str(config_file), "--results", str(tmp_path / "results"), *options]
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    messages = [
        line for line in result.stderr.splitlines() if line.startswith(("mini-exp:", "Error"))
    ]
    assert len(messages) == 1
    assert not (tmp_path / "results").exists()


def with_memory(monkeypatch, gigabytes):
    memory = SimpleNamespace(available=int(gigabytes * 1e9))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)


@pytest.mark.parametrize("gigabytes", [0.7, 0.9, 4, 0.51])
def test_a_chunk_larger_than_memory_names_one_that_fits(config, gigabytes):
    free = gigabytes * 1e9
    with pytest.raises(ConfigError, match=r"^--chunk: .* need .* GB .*; use --chunk \d+$") as info:
        check_memory(config, 10**7, 10**7, free)
    named = int(str(info.value).rsplit(" ", 1)[1])
    assert named % BLOCK == 0
    check_memory(config, 10**7, named, free)
    larger = named * 11 // 10 // BLOCK * BLOCK + 2 * BLOCK
    with pytest.raises(ConfigError, match=f"use --chunk {named}"):
        check_memory(config, 10**7, larger, free)


def test_a_chunk_is_no_larger_than_the_study(config):
    check_memory(config, 60, 10**7, 0.51e9)


@pytest.mark.parametrize("gigabytes", [0, 0.25, 0.5001])
def test_memory_for_no_chunk_at_all_is_not_answered_with_the_same_chunk(config, gigabytes):
    with pytest.raises(ConfigError, match=r"GB are free; (?!use --chunk)"):
        check_memory(config, 1000, BLOCK, gigabytes * 1e9)


def test_a_large_population_takes_memory_too(config_file):
    check_memory(load_config(config_file, ["study.n_population=1000000"]), 1000, BLOCK, 2e9)
    config = load_config(config_file, ["study.n_population=2000000"])
    with pytest.raises(ConfigError, match=r"2\.0 GB are free; .* a smaller study\.n_population$"):
        check_memory(config, 1000, BLOCK, 2e9)


def test_a_draw_of_the_population_takes_no_more_than_is_reckoned(config_file):
    """While one variant's population is drawn, the one before's is still there."""
    n = 100_000
    config = load_config(config_file, [f"study.n_population={n}"])
    tracemalloc.start()
    for settings in config.variants.values():
        data = sampled_data(settings, config.study, 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert data["population"][0].shape == (1, n, 30)
    assert run.DRAW / 2 < peak / n < run.DRAW


def test_local_workers_share_the_memory_that_is_free(config_file, tmp_path, monkeypatch):
    memory = SimpleNamespace(available=2.0e9)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    arguments = ["study", str(config_file), "--results", str(tmp_path), "--workers", "4"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert "in which 0.5 GB are free; use fewer workers" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("limits", "expected"),
    [([(8e9, 1), (6e9, 2)], 3e9), ([(8e9, 4), (0, 1)], 2e9), ([(0, 2)], np.inf)],
)
def test_memory_of_a_task_on_workers_elsewhere(limits, expected):
    workers = {
        f"tcp://10.0.0.{i}:1": {"memory_limit": limit, "nthreads": threads}
        for i, (limit, threads) in enumerate(limits)
    }
    client = SimpleNamespace(scheduler_info=lambda: {"workers": workers})
    assert run.memory_of_a_task(client) == expected


def test_memory_of_workers_elsewhere_is_what_counts(empty, scheduler, tried):
    """Whatever is free on this machine."""
    many = str(10**9)
    result = empty("--replicates", many, "--chunk", many, "--scheduler", scheduler)
    total = psutil.virtual_memory().total
    assert (result.code, len(result.err)) == (2, 1)
    found = re.search(r" ([\d.]+) GB are free; use --chunk \d+$", result.err[0])
    assert float(found[1]) == pytest.approx((total - run.WORKSPACE) / 1e9, abs=0.1)
    assert not empty.folder.exists()
    tried("a chunk that no worker elsewhere has memory for", "one line, exit 2")
