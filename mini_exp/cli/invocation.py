"""What commands that work on an experiment are given: its file, and options that they share."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from mini_exp.cli.completion import dotted_keys, experiment_files
from mini_exp.cli.group import debug_option
from mini_exp.cli.terminal import has_viewer

if TYPE_CHECKING:
    from mini_exp.experiment.pipeline import Experiment
    from mini_exp.settings.config import Config

Decorator: TypeAlias = Callable[[Callable[..., None]], Callable[..., None]]


@dataclass(frozen=True)
class Invocation:
    """An experiment file, and how to run it; options that a command lacks have their defaults."""

    file: Path
    overrides: tuple[str, ...]
    device: str | None
    results: Path = Path("results")
    force: bool = False
    quiet: bool = False

    def config(self) -> Config:
        """The file, read and checked."""
        from mini_exp.settings.reading import load_config

        device = () if self.device is None else (f"device={self.device}",)
        return load_config(self.file, (*self.overrides, *device))

    def experiment(self) -> Experiment:
        from mini_exp.experiment.pipeline import Experiment

        return Experiment(self.config(), self.results, self.say)

    def say(self, line: str) -> None:
        """Print a line, unless nobody wants to read it."""
        if not self.quiet:
            click.echo(line)

    @contextlib.contextmanager
    def shown(self, experiment: Experiment) -> Iterator[None]:
        """Show the steps while they run: live at a terminal, else by the experiment's lines."""
        if not has_viewer(self.quiet):
            yield
            return
        from mini_exp.cli.live import LiveRun

        with LiveRun() as live:
            experiment.say, experiment.watch = live.say, live.watch
            yield


RESULTS = click.option(
    "--results",
    type=click.Path(path_type=Path),
    default=Path("results"),
    show_default=True,
    help="Directory that holds <name>/.",
)
FORCE = click.option("--force", is_flag=True, help="Run fresh steps too.")
QUIET = click.option("--quiet", is_flag=True, help="Print nothing but errors.")

_OF_THE_FILE: tuple[Decorator, ...] = (
    click.argument(
        "file",
        metavar="CONFIG",
        type=click.Path(path_type=Path),
        shell_complete=experiment_files,
    ),
    click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="KEY=VALUE",
        shell_complete=dotted_keys,
        help="Change a setting of every variant, e.g. train.epochs=50, or of one: "
        "variants.published.train.epochs=50. Repeatable.",
    ),
    click.option("--device", metavar="NAME", help="Short for --set device=NAME."),
    debug_option,
)


def on_an_experiment(*options: Decorator) -> Decorator:
    """Give a command an `Invocation` of the file and these options, then its own options."""

    def decorated(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def called(**given: Any) -> None:
            names = {field.name for field in dataclasses.fields(Invocation)} & given.keys()
            function(Invocation(**{name: given.pop(name) for name in names}), **given)

        command: Callable[..., None] = called
        for option in reversed((*_OF_THE_FILE, *options)):
            command = option(command)
        return command

    return decorated
