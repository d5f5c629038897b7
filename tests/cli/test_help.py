"""Help, usage and start-up: every command is listed, explained and documented."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys

import click
import pytest
import yaml
from click.testing import CliRunner

from mini_exp import __version__
from mini_exp.cli import main
from mini_exp.settings.config import REPETITIONS
from mini_exp.settings.settings import Settings
from mini_exp.settings.walk import keys
from tests.conftest import ROOT

STEPS = ["gen-mini", "train", "covariance", "estimate-width", "select", "finetune", "report"]
OTHERS = ["load-images", "load-data", "export"]
BEYOND = ["study", "compare", "diagnose"]
ON_A_FILE = [*STEPS, *OTHERS, "run", "prune", *BEYOND, "status", "validate"]
COMMANDS = [*ON_A_FILE, "show", "init", "schema", "completion"]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_help_lists_the_commands_in_the_order_of_the_steps():
    result = CliRunner().invoke(main, ["--help"])
    listed = re.findall(r"^  ([a-z-]+)  ", result.stdout.partition("Steps")[2], re.MULTILINE)
    assert (result.exit_code, result.stderr) == (0, "")
    data, *rest, report = STEPS
    given = [data, "load-images", "load-data", *rest, "export", "run", "prune", report]
    assert listed[: len(given)] == given
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
    options |= {"--replicates", "--quiet"} if command in ("study", "diagnose") else set()
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


def test_version():
    result = CliRunner().invoke(main, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"mini-exp, version {__version__}\n")


def test_python_m_is_the_same_command(environment):
    done = subprocess.run(
        [sys.executable, "-m", "mini_exp", "--version"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"mini-exp, version {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["nothing"],
        ["run"],
        ["run", "a.yaml", "b.yaml"],
        ["run", "a.yaml", "--nothing"],
        ["run", "a.yaml", "--set"],
        ["validate", "a.yaml", "--force"],
        ["init", "a.yaml", "--data", "nothing"],
        ["--nothing"],
    ],
    ids=" ".join,
)
def test_bad_usage_exits_2(arguments):
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Error: " in result.stderr


def imported(environment: dict[str, str], folder: object, arguments: list[str]) -> set[str]:
    """The packages that are there once a command has ended."""
    code = (
        "import sys\n"
        "from mini_exp.cli import main\n"
        "main(sys.argv[1:], standalone_mode=False)\n"
        "print(*{name.partition('.')[0] for name in sys.modules})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.splitlines()[-1].split())


HEAVY = {"torch", "matplotlib", "pandas", "scipy", "numpy", "jinja2", "rich"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "--help"],
        ["run", "BAD"],
        ["run", "nowhere.yaml"],
        ["validate", "GOOD"],
        ["init", "new.yaml"],
        ["schema"],
        ["completion", "zsh"],
    ],
    ids=" ".join,
)
def test_nothing_heavy_is_imported_before_there_is_work(tmp_path, environment, arguments):
    text = "name: x\nvariants: {a: {}}\n"
    (tmp_path / "GOOD").write_text(text)
    (tmp_path / "BAD").write_text(text + "seed: many\n")
    assert imported(environment, tmp_path, arguments) & HEAVY == set()


@pytest.mark.parametrize("arguments", [[], ["--help"], ["study", "--help"]], ids=" ".join)
def test_help_does_not_import_the_settings_either(tmp_path, environment, arguments):
    assert imported(environment, tmp_path, arguments) & {*HEAVY, "pydantic"} == set()


# What the README says of commands


def test_commands_and_options_are_documented():
    missing = []
    for name, command in main.commands.items():
        text = README + CliRunner().invoke(main, [name, "--help"]).stdout
        missing += [name] if f"mini-exp {name}" not in text and f"`{name}`" not in README else []
        options = [
            option for p in command.params if isinstance(p, click.Option) for option in p.opts
        ]
        missing += [f"{name} {option}" for option in options if option not in text]
    assert missing == []


def test_commands_are_in_the_readme():
    assert [name for name in main.commands if name not in README] == []


def test_config_keys_are_documented():
    printed = CliRunner().invoke(main, ["validate", str(ROOT / "configs" / "mini.yaml")]).stdout
    settings = yaml.safe_load(printed)["variants"]["corrected"]

    def is_printed(key: str) -> bool:
        inside = settings
        for part in key.split("."):
            if not isinstance(inside, dict) or part not in inside:
                return False
            inside = inside[part]
        return True

    known = [*keys(Settings)]
    for command, section in REPETITIONS.items():
        known += keys(section, f"{command}.")
    assert [key for key in known if key not in README and not is_printed(key)] == []
