"""The command line: parse, call, print, map errors to exit codes.

Exit codes: 0 done; 1 the run failed; 2 bad usage or bad config; 130 interrupted; 143 terminated.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from mini_exp import __version__
from mini_exp.errors import ConfigError, MiniExpError

_KEPT = "what had finished is kept"


def _end_on_signals() -> None:
    """From here on Ctrl-C and SIGTERM end the process at once, in one line.

    A thread waits for them. An exception in the main thread would come late in a long call, and
    where an import or Dask swallows or prints it. Files are whole at every moment, and the next
    run clears away what is left, as after a kill.
    """
    numbers = {signal.SIGINT, signal.SIGTERM}  # but for what a background job ignores
    numbers = {number for number in numbers if signal.getsignal(number) != signal.SIG_IGN}
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)  # here, in threads and in child processes
    threading.Thread(target=_end, args=(numbers,), daemon=True).start()


def _end(numbers: set[signal.Signals]) -> None:
    number = signal.sigwait(numbers)
    what = "interrupted" if number == signal.SIGINT else "terminated"
    new_line = "\x1b[?25h\n" if os.isatty(2) else ""  # after ^C; a progress bar hid the cursor
    try:
        os.write(2, f"{new_line}mini-exp: {what}; {_KEPT}\n".encode())
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # nobody else has a say in it
        import psutil

        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if "spawn_main" in " ".join(child.cmdline()):  # a worker, not their tracker
                    child.kill()
    finally:
        os._exit(128 + number)


class _Group(click.Group):
    """Turns every error into one message and an exit code."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """As a process of its own; from Python, call ``main``."""
        _end_on_signals()
        return self.main(*args, **kwargs)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)  # in the order of the steps, not of the alphabet

    def invoke(self, ctx: click.Context) -> Any:
        with contextlib.suppress(AttributeError):  # a terminal that cannot show ρ shows \u03c1
            sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
            sys.stderr.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, BrokenPipeError):
            raise  # click's own, and a closed pipe (`| head`), which it ends quietly
        except (KeyboardInterrupt, click.Abort):
            click.echo(f"mini-exp: interrupted; {_KEPT}", err=True)
            ctx.exit(130)
        except MiniExpError as error:
            self._show(ctx, str(error))
            ctx.exit(2 if isinstance(error, ConfigError) else 1)
        except OSError as error:
            self._show(ctx, f"{error.filename or 'system'}: {error.strerror or error}")
            ctx.exit(1)
        except MemoryError:
            self._show(ctx, "out of memory: use smaller settings")
            ctx.exit(1)
        except Exception as error:
            text = " ".join(str(error).split())
            self._show(
                ctx,
                f"internal error: {type(error).__name__}: {text}; --debug shows where, please "
                "report it",
            )
            ctx.exit(1)

    @staticmethod
    def _show(ctx: click.Context, message: str) -> None:
        if ctx.meta.get("debug"):
            traceback.print_exc()
        for line in message.splitlines():
            click.echo(f"mini-exp: {line}", err=True)


def _remember_debug(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    ctx.meta["debug"] = value


def _config_argument(function: Callable[..., None]) -> Callable[..., None]:
    """The experiment file and the options that change what is read from it."""
    for decorate in reversed(
        [
            click.argument("config", type=click.Path(path_type=Path)),
            click.option(
                "--set",
                "overrides",
                multiple=True,
                metavar="KEY=VALUE",
                help="Change a setting of every variant, e.g. train.epochs=50, or of one: "
                "variants.published.train.epochs=50. Repeatable.",
            ),
            click.option("--device", metavar="NAME", help="Short for --set device=NAME."),
            click.option(
                "--debug",
                is_flag=True,
                expose_value=False,
                callback=_remember_debug,
                help="Show the traceback of an error.",
            ),
        ]
    ):
        function = decorate(function)
    return function


_results_option = click.option(
    "--results",
    type=click.Path(path_type=Path),
    default=Path("results"),
    show_default=True,
    help="Directory that holds <name>/.",
)
_quiet_option = click.option("--quiet", is_flag=True, help="Print nothing but errors.")


def _run_options(function: Callable[..., None]) -> Callable[..., None]:
    force = click.option("--force", is_flag=True, help="Run fresh steps too.")
    return _config_argument(_results_option(force(_quiet_option(function))))


def _experiment(
    config: Path, overrides: tuple[str, ...], device: str | None, results: Path, quiet: bool
) -> Any:
    from mini_exp.config import load_config
    from mini_exp.pipeline import Experiment

    if device is not None:
        overrides = (*overrides, f"device={device}")
    say = (lambda line: None) if quiet else click.echo
    return Experiment(load_config(config, overrides), results, say)


@click.group(cls=_Group)
@click.version_option(__version__, prog_name="mini-exp")
def main() -> None:
    """Spectral Pruning as in Sørby (2019), reproduced and corrected.

    \b
    mini-exp run configs/mini.yaml      Table 1 and Figures 1–7, from nothing
    mini-exp status configs/mini.yaml   what is there, what is stale and why

    `run` does the steps in the order below; each works alone too, from what the steps before it
    have written.
    """


def _add_step(name: str, help_text: str) -> None:
    @main.command(name, help=help_text)
    @_run_options
    def command(
        config: Path,
        overrides: tuple[str, ...],
        device: str | None,
        results: Path,
        force: bool,
        quiet: bool,
    ) -> None:
        _experiment(config, overrides, device, results, quiet).run_command(name, force)


_add_step("gen-mini", "Draw the data set MINI (4.3.1).")
_add_step("load-images", "Load digits or CIFAR-10 and cut the validation set.")
_add_step("train", "Train the networks.")
_add_step("covariance", "Second moments of the hidden layers and their spectra (8.1).")
_add_step("estimate-width", "Solve the width problem for every ρ (4.2.1–4.2.3).")
_add_step("select", "Select units greedily (4.1.7) and build the smaller networks.")
_add_step("finetune", "Train the smaller networks on, and score every stage.")
_add_step("report", "Tables, figures and report, from what the other steps saved.")


@main.command()
@_run_options
def run(
    config: Path,
    overrides: tuple[str, ...],
    device: str | None,
    results: Path,
    force: bool,
    quiet: bool,
) -> None:
    """Run every step that is not fresh, then print Table 1.

    Example: mini-exp run configs/mini.yaml
    """
    experiment = _experiment(config, overrides, device, results, quiet)
    experiment.run(force)
    if not quiet:
        _print_table1(experiment.directory / "table1.csv")
        click.echo(f"Report: {experiment.directory / 'report.html'}")


def _print_table1(path: Path) -> None:
    import csv

    import rich.box
    import rich.console
    import rich.table

    stages = ("original", "compressed", "finetuned")
    table = rich.table.Table("protocol", "measure", *stages, title="Table 1", box=rich.box.SIMPLE)
    for column in table.columns[2:]:
        column.justify = "right"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    previous = ""
    for row in rows:
        shown = row["protocol"] if row["protocol"] != previous else ""
        digits = "g" if row["measure"] == "parameters" else ".2f"
        table.add_row(shown, row["measure"], *(f"{float(row[stage]):{digits}}" for stage in stages))
        previous = row["protocol"]
    rich.console.Console().print(table)
    click.echo("An accuracy on 100 test samples is worth ± 0.10 (exact intervals: report).")


@main.command()
@_config_argument
@_results_option
@_quiet_option
@click.option("--replicates", type=int, default=1000, show_default=True, help="How many.")
@click.option(
    "--chunk",
    "chunk_size",
    type=int,
    default=50,
    show_default=True,
    help="Replicates per task; finished ones are kept.",
)
@click.option("--workers", type=int, help="Local processes; default: one per core.")
@click.option("--scheduler", metavar="tcp://HOST:PORT", help="A running Dask scheduler instead.")
def study(
    config: Path,
    overrides: tuple[str, ...],
    device: str | None,
    results: Path,
    quiet: bool,
    replicates: int,
    chunk_size: int,
    workers: int | None,
    scheduler: str | None,
) -> None:
    """Replicate every variant beside controls; give each claim of the thesis a verdict.

    Example: mini-exp study configs/mini.yaml --replicates 1000
    """
    experiment = _experiment(config, overrides, device, results, quiet)
    from mini_exp.config import Config

    if not isinstance(experiment.config, Config):
        raise ConfigError(f"{config}: data.kind: study is for mini; see `compare` for images")
    experiment.check_devices()
    from mini_exp.study.run import run_study

    bar = not quiet and sys.stdout.isatty()
    run_study(
        experiment.config,
        experiment.directory,
        replicates,
        chunk_size,
        workers,
        scheduler,
        experiment.say,
        bar,
    )
    experiment.run()
    experiment.say(f"Verdicts: {experiment.directory / 'study' / 'claims.md'}")


@main.command()
@_run_options
def compare(
    config: Path,
    overrides: tuple[str, ...],
    device: str | None,
    results: Path,
    force: bool,
    quiet: bool,
) -> None:
    """Prune trained networks in every way, at the same widths: accuracy, size, speed.

    Example: mini-exp compare configs/digits.yaml
    """
    experiment = _experiment(config, overrides, device, results, quiet)
    from mini_exp.config import ImageConfig

    if not isinstance(experiment.config, ImageConfig):
        raise ConfigError(f"{config}: data.kind: compare is for images, got mini; see `study`")
    experiment.check_devices()
    from mini_exp.compare.run import run_compare

    experiment.run()
    run_compare(experiment.config, experiment.directory, force, experiment.say)
    # Anew: it has looked for the comparison's files before.
    _experiment(config, overrides, device, results, quiet).run()
    experiment.say(f"Comparison: {experiment.directory / 'compare' / 'compare.md'}")


@main.command()
@_config_argument
@_results_option
def status(config: Path, overrides: tuple[str, ...], device: str | None, results: Path) -> None:
    """Show each variant's steps: fresh, stale and why, or missing.

    Example: mini-exp status configs/mini.yaml
    """
    for state in _experiment(config, overrides, device, results, quiet=False).status():
        why = f"  ({state.why})" if state.why else ""
        click.echo(f"{state.variant:16} {state.step:15} {state.state:8}{why}".rstrip())


@main.command()
@_config_argument
def validate(config: Path, overrides: tuple[str, ...], device: str | None) -> None:
    """Check an experiment file and print every resolved setting.

    Example: mini-exp validate configs/mini.yaml --set select.theta=1
    """
    experiment = _experiment(config, overrides, device, Path("results"), quiet=False)
    click.echo(experiment.config.as_yaml(), nl=False)
