"""A study from a script: under a main guard it runs, without one it is refused at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import experiment_file

CALL = 'main(["study", "quick.yaml", "--replicates", "50", "--workers", "1"])'
WHOLE = f"from mini_exp.cli import main\n\n{CALL}\n"
CHECK = """
from mini_exp.study.guard import check_main_guard


def go():
    check_main_guard("study")
    print("passed")


"""
UNGUARDED = {  # what follows CHECK, and which of its lines is named
    "at the top": ("go()\n", 1),
    "in a function": ("def further():\n    go()\n\n\nfurther()\n", 5),
    "in an if of something else": ("if 1 > 0:\n    go()\n", 2),
    "in a loop": ("for _ in range(1):\n    go()\n", 2),
    "in a class": ("class Go:\n    go()\n", 1),
    "before the guard": ("go()\nif __name__ == '__main__':\n    pass\n", 1),
}
GUARDS = {
    "the usual one": "if __name__ == '__main__':\n    go()\n",
    "the other way round": "if '__main__' == __name__:\n    go()\n",
    "with another condition": "if True and __name__ == '__main__':\n    go()\n",
    "one that leaves": "if __name__ != '__main__':\n    raise SystemExit\n\ngo()\n",
    "an else": "if __name__ == 'x':\n    pass\nelse:\n    go()\n",
}


def executed(folder: Path, script: str, environment: dict[str, str]):
    (folder / "script.py").write_text(script, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "script.py"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_a_guard_the_command_says_so_in_one_line_and_writes_nothing(
    tmp_path, environment, tried
):
    experiment_file(tmp_path / "quick.yaml")
    done = executed(tmp_path, WHOLE, environment)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert "line 3: expected the call under `if __name__ ==" in line
    assert not (tmp_path / "results").exists()
    tried("study from a script without a main guard", "one line at once")


@pytest.mark.parametrize("case", UNGUARDED)
def test_a_call_without_a_guard_is_refused(tmp_path, environment, case):
    following, line = UNGUARDED[case]
    done = executed(tmp_path, CHECK + following, environment)
    assert (done.returncode, done.stdout) == (1, "")
    last = done.stderr.splitlines()[-1]
    number = len(CHECK.splitlines()) + line
    assert last.startswith("mini_exp.errors.ConfigError: study: ")
    assert f"line {number}: expected the call under `if __name__ ==" in last


@pytest.mark.parametrize("case", GUARDS)
def test_with_a_guard_nothing_is_refused(tmp_path, environment, case):
    done = executed(tmp_path, CHECK + GUARDS[case], environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "passed\n", "")


@pytest.mark.parametrize("options", [["-c", CHECK + "go()"], ["-"]], ids=["-c", "stdin"])
def test_where_there_is_no_script_nothing_is_refused(environment, options):
    done = subprocess.run(
        [sys.executable, *options],
        input=CHECK + "go()",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "passed\n", "")
