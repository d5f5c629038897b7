"""What the README says is what the repository holds and does."""

from __future__ import annotations

import os
import re
import runpy
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

from mini_exp.cli import main
from mini_exp.compare.methods import METHODS
from mini_exp.config import Config, ImageConfig, load_config
from mini_exp.pipeline import STEPS
from scripts import update_readme
from tests.conftest import experiment_file
from tests.images.conftest import digits_file

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROSE = re.sub(r"<!-- \w+ -->.*?<!-- end -->|```.*?```", "", README, flags=re.S)


# Numbers and links


def test_tables_are_those_of_the_committed_runs() -> None:
    assert update_readme.updated(README) == README


def statements() -> Iterator[str]:
    """What the prose says with numbers, put together from the artifacts."""
    mini = load_config(ROOT / "results" / "mini" / "config.yaml")
    digits = load_config(ROOT / "results" / "digits" / "config.yaml")
    cifar10 = load_config(ROOT / "results" / "cifar10" / "config.yaml")
    assert isinstance(mini, Config)
    assert isinstance(digits, ImageConfig)
    assert isinstance(cifar10, ImageConfig)
    published, corrected = mini.variants["published"], mini.variants["corrected"]
    yield f"seed {published.seed}"
    yield f"MiniModel, 30 → {' → '.join(map(str, published.model.widths))} → 1"
    yield f"{published.data.n_test} samples | (4.3.1), {corrected.data.n_test} samples"
    assert corrected.select.theta == 0.5
    yield "scaled to trace m, θ = ½"
    yield f"{tuple(corrected.width.choose)} from scratch"  # type: ignore[arg-type]
    table = pd.read_csv(ROOT / "results" / "mini" / "table1.csv")
    tests = table[table["measure"] == "accuracy"]
    half = (tests["original_high"] - tests["original_low"]) / 2
    yield f"an accuracy on 100 samples is worth ± {half.mean():.2f}"
    yield f"An accuracy on 100 test samples is worth ± {half.mean():.2f}"
    population = table.loc[table["measure"] == "population loss", "n"].iloc[-1]
    yield f"{population:,.0f} fresh draws".replace(",", " ")
    claims = (ROOT / "results" / "mini" / "study" / "claims.md").read_text(encoding="utf-8")
    assert "1000 replicates of every variant" in claims
    yield "A thousand replicates of every variant"
    late = re.search(r"show them past (ρ = [\d.]+\d)", claims)
    bound = re.search(r"≤ (\d+λ)", claims)
    assert late
    assert bound
    yield f"(but for {late[1]} in C5 and {bound[1]} in C10, which stand in the code)"
    words = {2: "two", 3: "three", 4: "four", 5: "five", 12: "twelve"}
    yield f"`configs/mini.yaml` has {words[len(mini.variants)]} variants"
    yield f"# {words[digits.compare.networks]} networks, pruned in {words[len(METHODS)]} ways"
    yield f"Digits, {words[digits.compare.networks]} networks"
    first = cifar10.variants["half"]
    images = f"{first.data.n_train:,}".replace(",", " ")
    yield (
        f"CIFAR-10, {words[cifar10.compare.networks]} networks, trained on {images} images for "
        f"{first.train.epochs} epochs"
    )
    assert first.data.reencoded
    yield f"mean and {100 * digits.compare.confidence:g} % t interval"
    yield f"its {32 * 32 * 32:,}-dimensional layer".replace(",", " ")


# Numbers that no run gives.
OTHERS = {
    "the steps": {"1", "2", "3", "4", "5", "6"},
    "names and dates": {"2019", "2018", "1808.08558", "3.11", "256", "8"},
    "what the thesis has": {"1", "3", "4", "7", "30", "−0.6", "10"},
    "exit codes": {"0", "1", "2", "130", "143"},
    "options and settings": {"1000", "50"},
    "the pilot, described in CHANGELOG.md": {"200"},
    "bounds that tests assert": {"20", "200", "10 000", "2", "1", "1e16", "1e±150", "1e-6"},
    "confidence": {"95"},
}


def test_numbers_in_the_prose_come_from_artifacts() -> None:
    text = re.sub(r"\s+", " ", README)
    prose = re.sub(r"\s+", " ", PROSE)
    for statement in statements():
        assert statement in text, statement
        prose = prose.replace(statement, "")
    prose = re.sub(r"`[^`]*`|\]\([^)]*\)|\(\d\.\d[^)]*\)|CIFAR-10", " ", prose)
    numbers = re.findall(r"(?<![\w.])[−-]?\d(?:[\d ]*\d)?(?:\.\d+)?(?:e[-±]?\d+)?", prose)
    assert set(numbers) <= set().union(*OTHERS.values())


def test_links_and_images_are_there() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert links
    for link in links:
        assert (ROOT / link).exists(), link


def test_six_steps_have_a_sentence_and_an_equation_each() -> None:
    rows = re.findall(r"^\| (\d) \| `mini-exp (\S+) CONFIG` \| (.+) \| (.+) \|$", README, re.M)
    assert [(number, command) for number, command, _, _ in rows] == [
        (str(number), step.name) for number, step in enumerate(STEPS, start=1)
    ]
    for _, _, _, equation in rows:
        assert re.fullmatch(r"\(\d\.\d(\.\d)?\)|Table 1", equation)


# Commands


def commands() -> list[str]:
    """Every command, those of the blocks and those in the text, without comment and redirection."""
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", README, re.S)).splitlines()
    inline = re.findall(r"`((?:mini-exp|make|python) [^`]+)`", README)
    found = [re.sub(r"\s*(#|>).*", "", line) for line in [*blocks, *inline]]
    return list(dict.fromkeys(filter(None, found)))


def test_every_command_is_known() -> None:
    assert {command.split()[0] for command in commands()} == {"mini-exp", "make", "python"}
    # Executed by test_scripts_cifar10.py:
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
    experiment_file(folder / "configs" / "mini.yaml", study={"n_population": 100, "rho_num": 2})
    digits_file(folder / "configs" / "digits.yaml")
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
    """Every `mini-exp` command, in the README's order; `my.yaml` with few epochs."""
    few = ["--set", "train.epochs=2", "--set", "finetune.epochs=2", "--set", "width.rho.num=2"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(checkout)
        patch.setenv("PATH", f"{checkout / 'bin'}{os.pathsep}{os.environ['PATH']}")
        for command in commands():
            program, *arguments = shlex.split(command)
            if program != "mini-exp":
                continue
            images = "digits" if arguments[:1] == ["load-images"] else "mini"
            arguments = [a.replace("CONFIG", f"configs/{images}.yaml") for a in arguments]
            arguments = ["50" if a == "1000" else a for a in arguments]
            more = few if arguments == ["run", "my.yaml"] else []
            if len(arguments) == 1 and arguments != ["schema"]:  # mentioned by its name alone
                more = ["--help"]
            result = CliRunner().invoke(main, [*arguments, *more])
            assert result.exit_code == 0, f"{command}: {result.output}"
    return checkout


def test_every_command_runs(executed: Path) -> None:
    for file in (
        *("mini/report.html", "mini/report.pdf", "mini/study/claims.md", "my/table1.csv"),
        *("digits/table1.csv", "digits/compare/compare.md"),
    ):
        assert (executed / "results" / file).is_file(), file


EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.S)
OUTPUTS = [
    r"\{'0': 16, '3': 32\}\nTrue\n",
    r"272474 68786\n",
    r"Linear\(in_features=30, out_features=16, bias=True\) \[(\d+, ){7}\d+\]\n",
    r"16 0\.\d+\n8 0\.\d+\n8 0\.\d+\n\[.*\] \[.*\]\n\['protocol', 'measure', 'n'\]\n",
    r"\(1, 10, 8\) True\n",
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
