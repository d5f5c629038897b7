"""The command line: help, exit codes, what is printed where, interruption."""

from __future__ import annotations

import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from mini_exp import __version__
from mini_exp.cli import main
from mini_exp.config import ImageSettings, keys
from mini_exp.errors import MiniExpError
from mini_exp.report import pdf

ROOT = Path(__file__).parent.parent
STEPS = ["gen-mini", "train", "covariance", "estimate-width", "select", "finetune", "report"]
ON_A_FILE = [*STEPS, "load-images", "run", "study", "compare", "status", "validate"]
COMMANDS = [*ON_A_FILE, "show", "init", "schema", "completion"]


def raising(error: BaseException):
    def run(*_: object) -> None:
        raise error

    return run


def test_help_lists_the_commands_in_the_order_of_the_steps():
    result = CliRunner().invoke(main, ["--help"])
    listed = re.findall(r"^  ([a-z-]+)  ", result.stdout.partition("Steps")[2], re.MULTILINE)
    assert (result.exit_code, result.stderr) == (0, "")
    data, *rest, report = STEPS
    assert listed[: len(STEPS) + 2] == [data, "load-images", *rest, "run", report]
    assert sorted(COMMANDS) == sorted(listed) == sorted(main.commands)
    assert "..." not in result.stdout.partition("Steps")[2]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command):
    result = CliRunner().invoke(main, [command, "--help"])
    assert (result.exit_code, result.stderr) == (0, "")
    assert main.commands[command].get_short_help_str() != ""
    options = {"--set", "--device", "--debug"} if command in ON_A_FILE else set()
    options |= {"--results"} if command in ON_A_FILE and command != "validate" else set()
    options |= {"--force", "--quiet"} if command in [*STEPS, "run"] else set()
    options |= {"--replicates", "--quiet"} if command == "study" else set()
    assert {option for option in options if option not in result.stdout} == set()
    assert max(map(len, result.stdout.splitlines())) <= 80


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_has_an_example_that_parses(command):
    text = CliRunner().invoke(main, [command, "--help"]).stdout
    (example,) = re.findall(r"Example: (.*)", text)
    program, name, *arguments = shlex.split(example.partition(" >")[0])
    assert (program, name) == ("mini-exp", command)
    with main.commands[command].make_context(name, arguments) as context:
        assert context.params.keys() >= {p.name for p in context.command.params if p.expose_value}


# Without a command


def typed_next(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What `mini-exp` alone says to type next."""
    monkeypatch.chdir(folder)
    result = CliRunner().invoke(main, [])
    assert (result.exit_code, result.stderr) == (0, "")
    assert len(result.stdout.splitlines()) <= 20
    steps, _, following = result.stdout.partition("Next:")
    assert re.findall(r"^  ([a-z-]+)  ", steps, re.MULTILINE) == STEPS[:-1]
    return re.findall(r"^  mini-exp (.*?)  ", following, re.MULTILINE)[:-1]  # --help is last


def test_next_in_an_empty_directory(tmp_path, monkeypatch):
    assert typed_next(tmp_path, monkeypatch) == ["init my.yaml", "run my.yaml"]


def test_next_after_init(tmp_path, monkeypatch):
    (tmp_path / "other.yaml").write_text("services: {}\n")
    (tmp_path / "third try.yaml").write_text("name: x\nvariants: {a: }\n")
    assert typed_next(tmp_path, monkeypatch) == ["run 'third try.yaml'"]


def test_next_with_configs(tmp_path, monkeypatch):
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "mini.yaml").touch()
    assert typed_next(tmp_path, monkeypatch) == ["run configs/mini.yaml"]


def test_next_with_finished_results(tmp_path, monkeypatch):
    for name in ("a", "mini", "unfinished"):
        (tmp_path / "results" / name).mkdir(parents=True)
    for name in ("a", "mini"):
        (tmp_path / "results" / name / "table1.csv").touch()
    assert typed_next(tmp_path, monkeypatch) == ["show results/a", "init my.yaml", "run my.yaml"]
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "mini.yaml").touch()
    assert typed_next(tmp_path, monkeypatch) == ["show results/mini", "run configs/mini.yaml"]


def test_version():
    result = CliRunner().invoke(main, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"mini-exp, version {__version__}\n")


@pytest.mark.parametrize(
    "arguments",
    [
        *([], ["--help"], ["run", "--help"], ["run", "BAD"], ["run", "nowhere.yaml"]),
        *(["validate", "GOOD"], ["init", "new.yaml"], ["schema"], ["completion", "zsh"]),
    ],
    ids=" ".join,
)
def test_nothing_heavy_is_imported_before_there_is_work(tmp_path, environment, arguments):
    text = "name: x\nvariants: {a: {}}\n"
    (tmp_path / "GOOD").write_text(text)
    (tmp_path / "BAD").write_text(text + "seed: many\n")
    code = (
        "import sys\n"
        "from mini_exp.cli import main\n"
        "main(sys.argv[1:], standalone_mode=False)\n"
        "print({name.partition('.')[0] for name in sys.modules}\n"
        "      & {'torch', 'matplotlib', 'pandas', 'scipy', 'numpy', 'jinja2', 'rich'})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "set()"


@pytest.mark.parametrize(
    "arguments",
    [
        *(["nothing"], ["run"], ["run", "a.yaml", "b.yaml"], ["run", "a.yaml", "--nothing"]),
        *(["run", "a.yaml", "--set"], ["validate", "a.yaml", "--force"], ["--nothing"]),
    ],
    ids=" ".join,
)
def test_bad_usage_exits_2(arguments):
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Error: " in result.stderr


def test_python_m_is_the_same_command(environment):
    done = subprocess.run(
        [sys.executable, "-m", "mini_exp", "--version"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"mini-exp, version {__version__}\n"


def test_bad_config_from_a_shell_is_one_line_and_exit_2(tmp_path, environment):
    done = subprocess.run(
        [sys.executable, "-m", "mini_exp", "run", "none.yaml"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "mini-exp: none.yaml: no such file\n"


def test_run_prints_a_line_per_step_then_table_1_and_the_report(small):
    lines = small("run").stdout.splitlines()
    steps = [(line[:16].strip(), line[17:32].strip()) for line in lines[:13]]
    assert steps == [
        *(("published", step) for step in STEPS[:-1]),
        *(("corrected_bias", step) for step in STEPS[:-1]),
        ("", "report"),
    ]
    assert lines[13].split() == ["Table", "1", "n", "original", "compressed", "finetuned"]
    assert lines[-1] == f"Report: {small.directory / 'report.html'}"


def test_printed_table_1_has_the_numbers_of_the_file(small):
    printed = small("run").stdout
    rows = (small.directory / "table1.csv").read_text().splitlines()
    header = rows[0].split(",")
    for row in rows[1:]:
        values = dict(zip(header, row.split(","), strict=True))
        stages = (values[stage] for stage in ("original", "compressed", "finetuned"))
        numbers = [f"{float(value):.2f}" for value in stages]
        expected = " +".join([values["measure"], values["n"], *numbers])
        assert re.search(rf"^  {expected}$", printed, re.MULTILINE)


@pytest.mark.parametrize("command", [*STEPS, "run"])
def test_quiet_prints_nothing(small, command):
    result = small(command, "--quiet", "--force")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")


def test_quiet_still_prints_errors(empty):
    result = empty("train", "--quiet")
    assert (result.exit_code, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 1


def test_our_errors_have_a_traceback_only_with_debug(empty):
    plain, debug = empty("train"), empty("train", "--debug")
    assert (plain.exit_code, debug.exit_code) == (1, 1)
    assert len(plain.stderr.splitlines()) == 1
    assert debug.stderr.startswith("Traceback (most recent call last)")
    assert debug.stderr.endswith(plain.stderr)


def test_bad_config_has_no_traceback_without_debug(empty):
    plain = empty("run", "--set", "seed=many")
    debug = empty("run", "--set", "seed=many", "--debug")
    assert (plain.exit_code, debug.exit_code) == (2, 2)
    assert plain.stderr == "mini-exp: --set: seed: expected an integer, got 'many'\n"
    assert "Traceback" in debug.stderr


def test_unexpected_error_is_one_line_and_exit_1(empty, monkeypatch):
    step = importlib.import_module("mini_exp.steps.gen_mini")
    monkeypatch.setattr(step, "run", raising(ZeroDivisionError("first line\nsecond line")))
    result = empty("run")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert "ZeroDivisionError: first line second line" in result.stderr
    assert "--debug" in result.stderr


def test_unexpected_error_has_a_traceback_with_debug(empty, monkeypatch):
    step = importlib.import_module("mini_exp.steps.gen_mini")
    monkeypatch.setattr(step, "run", raising(ZeroDivisionError("no")))
    result = empty("run", "--debug")
    assert result.exit_code == 1
    assert "Traceback (most recent call last)" in result.stderr
    assert "ZeroDivisionError: no" in result.stderr


@pytest.mark.parametrize("command", ["run", "covariance"])
def test_interruption_exits_130_and_keeps_what_is_done(small, empty, another, monkeypatch, command):
    project = another(empty)
    for earlier in ("gen-mini", "train"):
        assert project(earlier).exit_code == 0
    before = project.identities()
    with monkeypatch.context() as patch:
        step = importlib.import_module("mini_exp.steps.covariance")
        patch.setattr(step, "run", raising(KeyboardInterrupt()))
        result = project(command)
    assert (result.exit_code, len(result.stderr.splitlines())) == (130, 1)
    assert "interrupted" in result.stderr
    assert project.identities() == before
    assert project("run").exit_code == 0
    assert project.digests() == small.digests()


def test_interruption_while_a_file_is_written_leaves_none_behind(empty, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", raising(KeyboardInterrupt()))
        result = empty("gen-mini")
    assert result.exit_code == 130
    assert list(empty.paths()) == []
    assert [path.name for path in empty.results.rglob(".*") if path.is_file()] == [".lock"]


def test_what_a_killed_process_left_is_cleared_away(small):
    left = small.directory / "published" / ".dataset.npz.abc.partial"
    left.write_bytes(b"half")
    assert small("gen-mini").exit_code == 0
    assert not left.exists()


def test_full_disk_is_one_line_and_exit_1(small, monkeypatch):
    before = small.identities()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", raising(OSError(28, "No space left on device")))
        result = small("run", "--set", "seed=2")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert "No space left on device" in result.stderr
    assert small.identities() == before


def test_closed_pipe_is_no_internal_error(environment):
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as stdout:
        done = subprocess.run(
            [sys.executable, "-m", "mini_exp", "validate", str(ROOT / "configs" / "mini.yaml")],
            env=environment,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert "internal error" not in done.stderr


def test_commands_and_options_are_documented():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    missing = []
    for name, command in main.commands.items():
        text = readme + CliRunner().invoke(main, [name, "--help"]).stdout
        missing += [name] if f"mini-exp {name}" not in text and f"`{name}`" not in readme else []
        options = [
            option for p in command.params if isinstance(p, click.Option) for option in p.opts
        ]
        missing += [f"{name} {option}" for option in options if option not in text]
    assert missing == []


def test_commands_are_in_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in main.commands if name not in readme] == []


def test_config_keys_are_documented():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    printed = CliRunner().invoke(main, ["validate", str(ROOT / "configs" / "mini.yaml")]).stdout
    settings = yaml.safe_load(printed)["variants"]["corrected"]

    def printed_key(key: str) -> bool:
        inside = settings
        for part in key.split("."):
            if not isinstance(inside, dict) or part not in inside:
                return False
            inside = inside[part]
        return True

    assert [key for key in keys() if key not in readme and not printed_key(key)] == []


# Shell completion


def completed(*words: str) -> list[str]:
    """What a shell offers for the last word."""
    *arguments, incomplete = words
    complete = ShellComplete(main, {}, "mini-exp", "_MINI_EXP_COMPLETE")
    return [item.value for item in complete.get_completions(list(arguments), incomplete)]


def test_completion_of_commands_and_options():
    assert completed("ru") == ["run"]
    assert completed("report", "x.yaml", "--p") == ["--pdf"]
    assert completed("init", "--data", "") == ["mini", "digits", "cifar10"]


def test_completion_of_keys():
    assert set(completed("run", "--set", "")) >= {
        f"{key}=" for key in [*keys(), *keys(ImageSettings)]
    }
    assert completed("run", "x.yaml", "--set", "train.e") == ["train.epochs="]
    assert completed("run", "--set", "study.rules.m") == ["study.rules.majority="]


def test_completion_of_experiment_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").mkdir()
    for name in ("a.yaml", "b.yml", "c.txt", ".hidden.yaml", "configs/d.yaml", "configs/e.md"):
        (tmp_path / name).touch()
    assert completed("run", "") == ["a.yaml", "b.yml", "configs/d.yaml"]
    assert completed("status", "configs/") == ["configs/d.yaml"]
    assert completed("train", f"{tmp_path}/a") == [f"{tmp_path}/a.yaml"]
    assert completed("run", "nowhere/") == []


def test_completion_of_directories():
    complete = ShellComplete(main, {}, "mini-exp", "_MINI_EXP_COMPLETE")
    assert [item.type for item in complete.get_completions(["show"], "res")] == ["dir"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell):
    result = CliRunner().invoke(main, ["completion", shell])
    assert result.exit_code == 0
    assert f"_MINI_EXP_COMPLETE={shell}_complete" in result.stdout


def test_completion_of_keys_adds_no_blank():
    scripts = [CliRunner().invoke(main, ["completion", shell]).stdout for shell in ("bash", "zsh")]
    assert "compopt -o nospace" in scripts[0]
    assert 'end=(-S ""); compadd' in scripts[1]


BASH = """
eval "$(mini-exp completion bash)"
compopt() { echo "compopt $1 $2"; }  # works only while a shell completes
COMP_WORDS=(mini-exp run --set width.so) COMP_CWORD=3
_mini_exp_completion mini-exp
echo "${COMPREPLY[@]}"
complete -p mini-exp
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_completion_in_bash(environment, tmp_path):
    program = tmp_path / "mini-exp"
    program.write_text(f"#!{sys.executable}\nfrom mini_exp.cli import main\nmain()\n")
    program.chmod(0o755)
    done = subprocess.run(
        ["bash", "--norc", "-c", BASH],
        env={**environment, "PATH": f"{tmp_path}:{environment['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "compopt -o nospace",
        "width.solver=",
        "complete -o nosort -F _mini_exp_completion mini-exp",
    ]


# The report printed


def fake_browser(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """The only browser on the PATH."""
    folder.mkdir()
    program = folder / "google-chrome"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


PRINTS = """for argument; do case $argument in
--print-to-pdf=*) echo "%PDF $*" > "${argument#--print-to-pdf=}";;
esac; done"""


def test_pdf_is_written_beside_the_report(small, tmp_path, monkeypatch):
    fake_browser(tmp_path / "bin", monkeypatch, PRINTS)
    result = small("report", "--pdf")
    path = small.directory / "report.pdf"
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines()[-1] == f"Printed: {path}"
    content = path.read_text()
    assert content.startswith("%PDF --headless")
    assert content.endswith(f"{(small.directory / 'report.html').as_uri()}\n")
    assert ("--no-sandbox" in content) == (os.geteuid() == 0)


def test_pdf_without_a_browser_builds_nothing(small, tmp_path, monkeypatch):
    before = small.identities()
    monkeypatch.setenv("PATH", str(tmp_path))
    result = small("report", "--pdf", "--force")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "mini-exp: --pdf: expected Chromium, Google Chrome or Microsoft Edge on the PATH; install "
        "one, or print report.html from any browser\n"
    )
    assert small.identities() == before


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo no display >&2; exit 3", "exit code 3: no display"),
        ("exit 0", "exit code 0: no message"),
        (PRINTS.replace("%PDF", "%!PS"), "exit code 0: no message"),
    ],
    ids=["fails", "writes nothing", "writes something else"],
)
def test_pdf_of_a_browser_that_fails(small, tmp_path, monkeypatch, script, message):
    fake_browser(tmp_path / "bin", monkeypatch, script)
    result = small("report", "--pdf")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert f"could not print {small.directory / 'report.html'}: {message}" in result.stderr
    assert not (small.directory / "report.pdf").exists()


def test_pdf_of_a_browser_that_hangs(tmp_path, monkeypatch):
    fake_browser(tmp_path / "bin", monkeypatch, "exec /bin/sleep 60")
    monkeypatch.setattr(pdf, "SECONDS", 0.2)
    with pytest.raises(MiniExpError, match=r"could not print .*page.html within 0.2 s"):
        pdf.printed(tmp_path / "page.html")
