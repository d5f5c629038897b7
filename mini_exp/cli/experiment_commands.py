"""Commands that do more than a step: run, report, study, compare, diagnose."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from mini_exp.cli.invocation import FORCE, QUIET, RESULTS, Invocation, on_an_experiment
from mini_exp.cli.terminal import has_viewer
from mini_exp.errors import ConfigError, named

if TYPE_CHECKING:
    from pathlib import Path

    from mini_exp.settings.config import Config


@click.command()
@on_an_experiment(RESULTS, FORCE, QUIET)
def run(invocation: Invocation) -> None:
    """Run every step that is not fresh, then print Table 1.

    Example: mini-exp run configs/mini.yaml
    """
    _run(invocation)


def _run(invocation: Invocation) -> None:
    experiment = invocation.experiment()
    with invocation.shown(experiment):
        experiment.run(invocation.force)
    if not invocation.quiet:
        from mini_exp.cli.printing import show_table1

        show_table1(experiment.directory / "table1.csv")
    invocation.say(f"Report: {experiment.directory / 'report.html'}")


@click.command()
@on_an_experiment(RESULTS, FORCE, QUIET)
def prune(invocation: Invocation) -> None:
    """Prune a network of your own: `run` without training.

    Example: mini-exp prune my.yaml
    """
    kinds = {settings.model.kind for settings in invocation.config().variants.values()}
    if kinds != {"python"}:
        raise ConfigError(
            f"{invocation.file}: model.kind: prune is for python, networks of your own, got "
            f"{', '.join(sorted(kinds - {'python'}))}; see `run`"
        )
    untrained = ("train.epochs=0", "finetune.epochs=0")
    _run(dataclasses.replace(invocation, overrides=(*invocation.overrides, *untrained)))


@click.command()
@on_an_experiment(RESULTS, FORCE, QUIET)
@click.option("--pdf", is_flag=True, help="Print report.pdf too, with Chromium, Chrome or Edge.")
def report(invocation: Invocation, pdf: bool) -> None:
    """Tables, figures and report, from what the steps saved.

    Example: mini-exp report configs/mini.yaml
    """
    experiment = invocation.experiment()
    if pdf:
        from mini_exp.report.pdf import browser

        browser()  # the lack of one is said before the report is built
    with invocation.shown(experiment):
        experiment.run_command("report", invocation.force)
    if pdf:
        invocation.say(f"Printed: {_printed(experiment.directory)}")


def _printed(directory: Path) -> Path:
    from mini_exp.files import write_bytes
    from mini_exp.report.pdf import printed

    path = directory / "report.pdf"
    write_bytes(path, printed(directory / "report.html"))
    return path


@click.command()
@on_an_experiment(RESULTS, QUIET)
@click.option("--replicates", type=int, default=1000, show_default=True, help="How many.")
@click.option(
    "--chunk",
    "chunk_size",
    type=int,
    default=50,
    show_default=True,
    help="Replicates per task; finished ones are kept.",
)
@click.option(
    "--workers", type=int, help="Local processes; default: one per processor that may be used."
)
@click.option("--scheduler", metavar="tcp://HOST:PORT", help="A running Dask scheduler instead.")
def study(
    invocation: Invocation,
    replicates: int,
    chunk_size: int,
    workers: int | None,
    scheduler: str | None,
) -> None:
    """Replicate every variant; give each claim a verdict.

    The claims are the thesis's; beside every variant run controls, on the same data.

    Example: mini-exp study configs/mini.yaml --replicates 1000
    """
    experiment = invocation.experiment()
    _check_repetition(invocation.file, experiment.config, "study")
    experiment.check_devices()
    try:
        from mini_exp.study.run import run_study
    except (OSError, ValueError, TypeError) as error:  # Dask reads its files when it is imported
        reason = " ".join(str(error).split())[:300]
        raise ConfigError(f"study: Dask's configuration cannot be read: {reason}") from error

    with named("study"):
        run_study(
            experiment.config,
            experiment.directory,
            replicates,
            chunk_size,
            workers,
            scheduler,
            invocation.say,
            has_viewer(invocation.quiet),
        )
    with invocation.shown(experiment):
        experiment.run()
    invocation.say(f"Verdicts: {experiment.directory / 'study' / 'claims.md'}")


@click.command()
@on_an_experiment(RESULTS, FORCE, QUIET)
def compare(invocation: Invocation) -> None:
    """Prune trained networks in other ways, at the same widths.

    Measures accuracy, size and speed.

    Example: mini-exp compare configs/digits.yaml
    """
    experiment = invocation.experiment()
    _check_repetition(invocation.file, experiment.config, "compare")
    experiment.check_devices()
    from mini_exp.compare.run import comparable, run_compare

    comparable(experiment.config)

    with invocation.shown(experiment):
        experiment.run()
    with named("compare"):
        run_compare(experiment.config, experiment.directory, invocation.force, invocation.say)
    with invocation.shown(experiment):
        experiment.run()  # takes up what the comparison wrote
    invocation.say(f"Comparison: {experiment.directory / 'compare' / 'compare.md'}")


@click.command()
@on_an_experiment(RESULTS, QUIET)
@click.option(
    "--replicates", type=int, help="How many, for intervals and interventions; default: the run."
)
@click.option("--workers", type=int, help="Local processes; default: one per core.")
@click.option("--scheduler", metavar="tcp://HOST:PORT", help="A running Dask scheduler instead.")
def diagnose(
    invocation: Invocation, replicates: int | None, workers: int | None, scheduler: str | None
) -> None:
    """Ask why pruning helps or hurts; give statements a verdict.

    Of a finished run, through instruments; with replicates also by interventions.

    Example: mini-exp diagnose configs/mini.yaml --replicates 200
    """
    experiment = invocation.experiment()
    _check_repetition(invocation.file, experiment.config, "diagnose")
    experiment.check_devices()
    from mini_exp.diagnostics.run import run_diagnose
    from mini_exp.experiment.sequence import jobs_of

    if replicates is None and experiment.config.diagnose is not None:
        replicates = experiment.config.diagnose.replicates
    jobs = [job for job in jobs_of(experiment.config) if job.variant]
    with named("diagnose"):
        run_diagnose(
            experiment.config,
            experiment.directory,
            replicates,
            workers,
            scheduler,
            invocation.say,
            has_viewer(invocation.quiet),
            lambda: experiment.require("diagnose", jobs),
        )
    with invocation.shown(experiment):
        experiment.run_command("report")
    invocation.say(f"Verdicts: {experiment.directory / 'diagnose' / 'statements.md'}")


def _check_repetition(file: Path, config: Config, command: str) -> None:
    """Refuse data that another command repeats."""
    from mini_exp.settings.messages import either
    from mini_exp.tasks import DATA
    from mini_exp.tasks.section import kind_of

    data = config.first.data
    if command not in data.beyond:
        kinds = either(kind_of(section) for section in DATA if command in section.beyond)
        raise ConfigError(
            f"{file}: data.kind: {command} is for {kinds}, got {data.kind}"
            + (f"; see `{data.repetition}`" if data.repetition else "")
        )
