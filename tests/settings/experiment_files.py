"""Experiment files for tests: written, loaded, refused, run."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mini_exp.cli import main
from mini_exp.errors import ConfigError
from mini_exp.settings.config import Config
from mini_exp.settings.reading import load_config
from mini_exp.settings.settings import Settings

CONFIGS = Path(__file__).parent.parent.parent / "configs"
BASE = "name: x\nvariants: {a: {}}\n"
DIGITS = BASE + "data: {kind: digits}\n"


def settings_of(**given: object) -> Settings:
    """The settings of a variant that says only this."""
    return Settings.model_validate(given)


def written(folder: Path, text: str) -> Path:
    path = folder / "c.yaml"
    path.write_text(text, encoding="utf-8", newline="")
    return path


def loaded(folder: Path, text: str, *overrides: str) -> Config:
    return load_config(written(folder, text), overrides)


def refused(path: Path, *overrides: str) -> str:
    with pytest.raises(ConfigError, match=r"^\S") as caught:
        load_config(path, overrides)
    return str(caught.value)


def run(path: Path, *options: str) -> Result:
    """`mini-exp train` with a results directory beside the file."""
    where = ("--results", str(path.parent / "results"))
    return CliRunner().invoke(main, ["train", str(path), *where, *options])


def assert_one_line(message: str, source: str, key: str, *said: str) -> None:
    assert message.startswith(f"{source}: {key}")
    assert len(message.splitlines()) == 1
    rest = message.removeprefix(f"{source}: ")
    assert [text for text in said if text not in rest] == []


def assert_refused(path: Path, *said: str) -> None:
    """One line, of the function and of the command, which exits with 2 and writes nothing."""
    message = refused(path)
    assert_one_line(message, str(path), *said)
    result = run(path)
    assert result.stderr == f"mini-exp: {message}\n"
    assert (result.exit_code, result.stdout) == (2, "")
    assert list(path.parent.iterdir()) == [path]
