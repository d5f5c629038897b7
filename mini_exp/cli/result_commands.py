"""Commands that look at results: show, status."""

from __future__ import annotations

from pathlib import Path

import click

from mini_exp.cli.completion import directories
from mini_exp.cli.group import debug_option
from mini_exp.cli.invocation import RESULTS, Invocation, on_an_experiment


@click.command()
@click.argument("directory", type=click.Path(path_type=Path), shell_complete=directories)
@debug_option
def show(directory: Path) -> None:
    """Print Table 1, the claims' verdicts, other pruners.

    Of a results directory, from its CSV files alone.

    Example: mini-exp show results/mini
    """
    from mini_exp.cli.printing import show_results

    show_results(directory)


@click.command()
@on_an_experiment(RESULTS)
def status(invocation: Invocation) -> None:
    """Show which steps are fresh, stale (and why) or missing.

    Example: mini-exp status configs/mini.yaml
    """
    for state in invocation.experiment().status():
        why = f"  ({state.why})" if state.why else ""
        click.echo(f"{state.variant:16} {state.step:15} {state.state:8}{why}".rstrip())
