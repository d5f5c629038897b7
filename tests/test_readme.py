"""What the README shows is what the repository holds and does: commands, tables and numbers.

Its sentences are free to be edited; a number in them must be one that an artifact has.
"""

from __future__ import annotations

import os
import re
import runpy
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

from mini_exp.cli import main
from mini_exp.experiment.sequence import steps_of
from mini_exp.settings.config import Config
from mini_exp.settings.reading import load_config
from scripts import update_readme
from tests.conftest import ROOT, experiment_file
from tests.digits import digits_file
from tests.study.quick import leave_out_what_takes_longest
from tests.tasks.own.examples import write_readme_experiment

README = (ROOT / "README.md").read_text(encoding="utf-8")
PROSE = re.sub(r"<!-- \w+ -->.*?<!-- end -->|```.*?```", "", README, flags=re.S)
RESULTS = ROOT / "results"


# Numbers and links


def test_tables_are_those_of_the_committed_runs() -> None:
    assert update_readme.updated(README) == README


def reference(name: str) -> Config:
    """The resolved settings of a committed run."""
    return load_config(RESULTS / name / "config.yaml")


def grouped(number: float) -> str:
    """As the prose writes large numbers."""
    return f"{number:,.0f}".replace(",", " ")


def of_settings() -> set[str]:
    """Numbers of the committed runs' settings."""
    mini, cifar10 = reference("mini"), reference("cifar10").first
    numbers: set[object] = {mini.first.seed, *mini.first.data.shape, mini.first.data.n_outputs}
    for settings in mini.variants.values():
        numbers |= {*settings.model.widths, settings.data.n_test, settings.data.n_train}
        numbers |= {*settings.width.choose, grouped(settings.data.n_population)}
    assert mini.study is not None
    numbers |= {f"{mini.study.rules.late_rho:g}", f"{mini.study.rules.bound_factor:g}"}
    numbers |= {grouped(cifar10.data.n_train), cifar10.train.epochs}
    for name in ("digits", "cifar10"):
        compare = reference(name).compare
        assert compare is not None
        numbers |= {f"{100 * compare.confidence:g}", *reference(name).first.data.shape[1:]}
    return set(map(str, numbers))


def of_tables() -> set[str]:
    """Numbers that the committed tables give."""
    table = pd.read_csv(RESULTS / "mini" / "table1.csv")
    tests = table[table["measure"] == "accuracy"]
    half = (tests["original_high"] - tests["original_low"]) / 2
    return {f"{half.mean():.2f}", str(replicates()), grouped(32**3)}  # the thesis's first layer


def replicates() -> int:
    """How many the committed study has of every variant."""
    claims = (RESULTS / "mini" / "study" / "claims.md").read_text(encoding="utf-8")
    (number,) = set(re.findall(r"(\d+) replicates of every variant", claims))
    return int(number)


# Numbers that no run gives.
OTHERS = {
    "the steps": {"1", "2", "3", "4", "5", "6"},
    "names, versions and dates": {"2019", "2018", "1808.08558", "3.11", "256", "8", "0.1", "1.2"},
    "what the thesis has": {"1", "3", "4", "7", "30", "−0.6", "10"},
    "exit codes": {"0", "1", "2", "130", "143"},
    "options and settings": {"1000", "50"},
    "the pilot, described in CHANGELOG.md": {"200"},
    "bounds that tests assert": {"4", "200", "10 000", "2", "1", "1e16", "1e±150", "1e-6"},
}


def test_numbers_in_the_prose_come_from_artifacts() -> None:
    prose = re.sub(r"\s+", " ", PROSE)
    prose = re.sub(r"`[^`]*`|\]\([^)]*\)|\(\d\.\d[^)]*\)|CIFAR-10", " ", prose)
    numbers = re.findall(r"(?<![\w.])[−-]?\d(?:[\d ]*\d)?(?:\.\d+)?(?:e[-±]?\d+)?", prose)
    assert set(numbers) - of_settings() - of_tables() <= set().union(*OTHERS.values())


WORDS = {
    **{"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9},
    **{"ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "thousand": 1000},
}


def test_numbers_in_words_count_what_is_there() -> None:
    mini = reference("mini")
    comparisons = [reference(name).compare for name in ("digits", "cifar10")]
    there = {
        "variants": {len(mini.variants)},
        "steps": {len(steps_of(mini))},
        "networks": {compare.networks for compare in comparisons if compare},
        "replicates": {replicates()},
    }
    counts = re.findall(rf"\b({'|'.join(WORDS)})\s+({'|'.join(there)})\b", README, re.I)
    assert {noun for _, noun in counts} == there.keys()
    for word, noun in counts:
        assert WORDS[word.lower()] in there[noun], f"{word} {noun}"


def test_links_and_images_are_there() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert links
    for link in links:
        assert (ROOT / link).exists(), link


def test_six_steps_have_a_sentence_and_an_equation_each() -> None:
    rows = re.findall(r"^\| (\d) \| `mini-exp (\S+) CONFIG` \| (.+) \| (.+) \|$", README, re.M)
    assert [(number, command) for number, command, _, _ in rows] == [
        (str(number), name) for number, name in enumerate(steps_of(reference("mini")), start=1)
    ]
    for _, _, _, equation in rows:
        assert re.fullmatch(r"\(\d\.\d(\.\d)?\)|Table 1", equation)


# Commands


def commands() -> list[str]:
    """Every command, those of the blocks and those in the text, without comment and redirection."""
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", README, re.S)).splitlines()
    inline = re.findall(r"`((?:mini-exp|make|python) [^`]+)`", README)
    lines = [re.sub(r"\s*(#|>).*", "", line) for line in [*blocks, *inline]]
    return list(dict.fromkeys(filter(None, lines)))


def test_every_command_is_known() -> None:
    assert {command.split()[0] for command in commands()} == {"mini-exp", "make", "python"}
    # Executed by tests/scripts:
    scripts = [command for command in commands() if command.startswith("python")]
    assert scripts == ["python scripts/cifar10_from_images.py SOURCE data/cifar10"]


def test_every_make_target_is_there() -> None:
    targets = [command.split()[1] for command in commands() if command.startswith("make")]
    assert "reproduce" in targets
    for target in targets:
        done = subprocess.run(
            ["make", "--dry-run", "--old-file=.venv/.ready", target],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), target


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the experiments that the README names, made small."""
    folder = tmp_path_factory.mktemp("checkout")
    (folder / "configs").mkdir()
    study = {"n_population": 100, "rho_num": 2, "resamples": 2}
    diagnose = {"n_population": 100, "first_widths": [1], "weight_decay": [1], "resamples": 2}
    experiment_file(folder / "configs" / "mini.yaml", study=study, diagnose=diagnose)
    compare = {"networks": 2, "keep": [0.5], "parameters": [], "flops": [], "theta": [1.0]}
    digits_file(folder / "configs" / "digits.yaml", compare=compare)
    browser = folder / "bin" / "chromium"
    browser.parent.mkdir()
    browser.write_text(
        '#!/bin/sh\nfor option; do case $option in --print-to-pdf=*) echo "%PDF-1.4" '
        '> "${option#*=}";; esac; done\n'
    )
    browser.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def executed(checkout: Path) -> Path:
    """Every `mini-exp` command, in the README's order; `my.yaml` with few epochs, none draws.

    `own.yaml` is the README's, on 60 small images.
    """
    few = ["--set", "train.epochs=2", "--set", "finetune.epochs=2", "--set", "width.rho.num=2"]
    with pytest.MonkeyPatch.context() as patch:
        leave_out_what_takes_longest(patch.setattr)
        patch.chdir(checkout)
        patch.setenv("PATH", f"{checkout / 'bin'}{os.pathsep}{os.environ['PATH']}")
        for command in commands():
            program, *arguments = shlex.split(command)
            if program != "mini-exp":
                continue
            images = "digits" if arguments[:1] == ["load-images"] else "mini"
            arguments = [a.replace("CONFIG", f"configs/{images}.yaml") for a in arguments]
            arguments = ["50" if a in ("1000", "200") else a for a in arguments]
            more = few if arguments == ["run", "my.yaml"] else []
            if len(arguments) == 1 and arguments != ["schema"]:  # mentioned by its name alone
                more = ["--help"]
            result = CliRunner().invoke(main, [*arguments, *more])
            assert result.exit_code == 0, f"{command}: {result.output}"
            if arguments[:2] == ["init", "own.yaml"]:
                write_readme_experiment(README)
    return checkout


def test_every_command_runs(executed: Path) -> None:
    for file in (
        *("mini/report.html", "mini/report.pdf", "mini/study/claims.md", "my/table1.csv"),
        *("mini/diagnose/statements.md", "digits/table1.csv", "digits/compare/compare.md"),
        "own/report.html",
    ):
        assert (executed / "results" / file).is_file(), file


EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.S)
OUTPUTS = [
    "",
    r"\{'0': 32, '2': 16\}\nTrue\n",
    r"layer +width +parameters +multiply-accumulates\n(.+\n){8}all weights +8 464 -> 4 528 +.*\n",
    r"\{'deep': \d+, 'up': \d+\}\n",
    r"4 128\n",
    r"16 0\.\d+\n8 0\.\d+\n8 0\.\d+\n\[.*\] \[.*\]\n\['protocol', 'measure', 'n'\]\n",
    r"\(10, 8\) True\n",
]


@pytest.mark.parametrize(("example", "output"), list(zip(EXAMPLES, OUTPUTS, strict=True)))
def test_python_examples_run(
    example: str, output: str, executed: Path, capsys: Any, monkeypatch: Any
) -> None:
    assert len(example.splitlines()) < 20
    path = executed / "example.py"
    path.write_text(example, encoding="utf-8")
    monkeypatch.chdir(executed)
    runpy.run_path(str(path))
    assert re.fullmatch(output, capsys.readouterr().out)
