"""Numbers that cannot be, and chunks that do not fit into memory."""

import re
import tracemalloc
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from click.testing import CliRunner

from mini_exp.cli import main
from mini_exp.errors import ConfigError, MiniExpError
from mini_exp.settings.reading import load_config
from mini_exp.study import run, spread
from mini_exp.study.limits import DRAW, WORKSPACE, check_memory, memory_of_a_task
from mini_exp.study.replicates import BLOCK, sampled_data
from tests.study.command import Study


@pytest.mark.parametrize(
    "options",
    [
        ["--replicates", "0"],
        ["--replicates", "-3"],
        ["--replicates", "1000000000000"],
        ["--replicates", "many"],
        ["--chunk", "7"],
        ["--chunk", "0"],
        ["--chunk", "-50"],
        ["--workers", "0"],
        ["--workers", "-1"],
        ["--set", "variants.corrected_bias.width.choose.rho=3"],
        ["--set", "study.rho_num=1"],
    ],
    ids=" ".join,
)
def test_numbers_out_of_range(config_file, tmp_path, monkeypatch, options):
    def refused(*_):
        raise MiniExpError("started")

    monkeypatch.setattr(spread, "cluster", refused)
    arguments = ["study", str(config_file), "--results", str(tmp_path / "results"), *options]
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    messages = [
        line for line in result.stderr.splitlines() if line.startswith(("mini-exp:", "Error"))
    ]
    assert len(messages) == 1
    assert not (tmp_path / "results").exists()


def test_an_experiment_without_a_study_is_refused(config, tmp_path):
    without = config.model_copy(update={"study": None})
    with pytest.raises(ConfigError, match=r"^study: expected an experiment on MINI"):
        run.run_study(without, tmp_path / "results", 50, 50, 1, None, print, False)
    assert not (tmp_path / "results").exists()


def check(config, replicates, chunk_size, free):
    check_memory(config.variants, config.study, replicates, chunk_size, free)


@pytest.mark.parametrize("gigabytes", [0.7, 0.9, 4, 0.51])
def test_a_chunk_larger_than_memory_names_one_that_fits(config, gigabytes):
    free = gigabytes * 1e9
    with pytest.raises(ConfigError, match=r"^--chunk: .* need .* GB .*; use --chunk \d+$") as info:
        check(config, 10**7, 10**7, free)
    named = int(str(info.value).rsplit(" ", 1)[1])
    assert named % BLOCK == 0
    check(config, 10**7, named, free)
    larger = named * 11 // 10 // BLOCK * BLOCK + 2 * BLOCK
    with pytest.raises(ConfigError, match=f"use --chunk {named}"):
        check(config, 10**7, larger, free)


def test_a_chunk_is_no_larger_than_the_study(config):
    check(config, 60, 10**7, 0.51e9)


@pytest.mark.parametrize("gigabytes", [0, 0.25, 0.5001])
def test_memory_for_no_chunk_at_all_is_not_answered_with_the_same_chunk(config, gigabytes):
    with pytest.raises(ConfigError, match=r"GB are free; (?!use --chunk)"):
        check(config, 1000, BLOCK, gigabytes * 1e9)


def test_a_large_population_takes_memory_too(config_file):
    check(load_config(config_file, ["study.n_population=1000000"]), 1000, BLOCK, 2e9)
    config = load_config(config_file, ["study.n_population=2000000"])
    with pytest.raises(ConfigError, match=r"2\.0 GB are free; .* a smaller study\.n_population$"):
        check(config, 1000, BLOCK, 2e9)


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
    assert DRAW / 2 < peak / n < DRAW


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
    assert memory_of_a_task(client) == expected


def test_memory_of_workers_elsewhere_is_what_counts(config_file, tmp_path, scheduler, tried):
    """Whatever is free on this machine."""
    study = Study(config_file, tmp_path / "results")
    many = str(10**9)
    result = study("--replicates", many, "--chunk", many, "--scheduler", scheduler)
    total = psutil.virtual_memory().total
    assert (result.code, len(result.err)) == (2, 1)
    found = re.search(r" ([\d.]+) GB are free; use --chunk \d+$", result.err[0])
    assert float(found[1]) == pytest.approx((total - WORKSPACE) / 1e9, abs=0.1)
    assert not study.folder.exists()
    tried("a chunk that no worker elsewhere has memory for", "one line, exit 2")
