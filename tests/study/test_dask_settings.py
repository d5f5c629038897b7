"""Dask's own settings may be broken: a study says so in one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import experiment_file

FILES = {
    "no YAML": b"a: [b\n",
    "a tab": b"\ta: 1\n",
    "no UTF-8": b"a: \xff\xfe\n",
    "a list": b"- a\n- b\n",
    "text": b"distributed\n",
}
OFTEN = [("DASK_CONFIG", "no YAML"), ("HOME", "a list")]
# Read when Dask is imported, or when the workers start.
VARIABLES = {
    "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "soon",
    "DASK_DISTRIBUTED__WORKER__MEMORY__TARGET": "much",
}


def study(folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    experiment_file(folder / "quick.yaml", variants={"corrected": {}})
    command = ["study", "quick.yaml", "--replicates", "50", "--workers", "1"]
    return subprocess.run(
        [sys.executable, "-m", "mini_exp", *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("where", "case"),
    [
        pytest.param(where, case, marks=[] if (where, case) in OFTEN else [pytest.mark.long])
        for where in ("HOME", "DASK_CONFIG")
        for case in FILES
    ],
)
def test_a_broken_file(tmp_path, environment, case, where, tried):
    folder = tmp_path / ".config" / "dask"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_bytes(FILES[case])
    value = str(tmp_path if where == "HOME" else folder)
    done = study(tmp_path, {**environment, where: value})
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("mini-exp: study: Dask's configuration cannot be read: ")
    assert not (tmp_path / "results").exists()
    tried("a broken configuration of Dask", "one line, exit 2")


@pytest.mark.long
@pytest.mark.parametrize("name", VARIABLES)
def test_a_variable_that_is_none_of_dask(tmp_path, environment, name, tried):
    done = study(tmp_path, {**environment, name: VARIABLES[name]})
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "study: the workers cannot be started: " in done.stderr
    tried("a variable of Dask that cannot be", "one line, exit 1")
