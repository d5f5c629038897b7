"""The same bytes, however they are made; a second run makes none."""

import itertools
import shutil
import subprocess
import sys

import pytest

from tests.experiment.running import STEPS, VARIANTS, steps_run, succeeded


def test_each_command_alone_equals_run(small_finished, empty):
    for step in (*STEPS, "report"):
        expected = {("", step)} if step == "report" else {(name, step) for name in VARIANTS}
        assert steps_run(succeeded(empty(step)).stdout) == expected
    assert empty.digests() == small_finished.digests()


def test_two_runs_from_nothing_make_the_same_bytes(small_finished, empty):
    succeeded(empty("run"))
    assert empty.digests() == small_finished.digests()


EACH = """
import sys
from mini_exp.cli import main
for command in "gen-mini train covariance estimate-width select finetune report".split():
    main([command, *sys.argv[1:]], standalone_mode=False)
"""


def test_each_command_in_another_process_equals_run(tiny, another, environment):
    project = another(tiny)
    arguments = (str(project.config), "--results", str(project.results), "--quiet")
    subprocess.run(
        [sys.executable, "-c", EACH, *arguments],
        env={**environment, "PYTHONHASHSEED": "4711"},  # another order of sets
        check=True,
    )
    assert project.digests() == tiny.digests()


def test_second_run_skips_everything_and_rewrites_nothing(tiny):
    before = tiny.identities()
    result = succeeded(tiny("run"))
    assert result.stdout.count("fresh, skipped") == len(VARIANTS) * len(STEPS) + 1
    assert steps_run(result.stdout) == set()
    assert tiny.identities() == before


def test_status_of_a_finished_run_is_fresh_and_writes_nothing(tiny):
    before = tiny.identities()
    lines = succeeded(tiny("status")).stdout.splitlines()
    assert len(lines) == len(VARIANTS) * len(STEPS) + 1
    assert all(line.endswith("fresh") for line in lines)
    assert tiny.identities() == before


def test_status_before_the_first_run_is_missing_and_writes_nothing(empty):
    lines = succeeded(empty("status")).stdout.splitlines()
    assert len(lines) == len(VARIANTS) * len(STEPS) + 1
    assert all(line.endswith("missing") for line in lines)
    assert not empty.results.exists()


def test_validate_writes_nothing(empty, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    succeeded(empty("validate"))
    assert sorted(tmp_path.iterdir()) == before


def test_results_directory_can_be_moved(small, another):
    project = another(small)
    shutil.copytree(small.results, project.results)
    assert steps_run(succeeded(project("run")).stdout) == set()


def test_force_runs_everything_to_the_same_bytes(small, small_finished):
    result = succeeded(small("run", "--force"))
    assert steps_run(result.stdout) == {("", "report"), *itertools.product(VARIANTS, STEPS)}
    assert small.digests() == small_finished.digests()


@pytest.mark.parametrize("step", STEPS)
def test_force_of_one_command_runs_that_step_only(small, small_finished, step):
    result = succeeded(small(step, "--force"))
    assert steps_run(result.stdout) == {(name, step) for name in VARIANTS}
    assert small.digests() == small_finished.digests()
    assert steps_run(succeeded(small("run")).stdout) == set()
