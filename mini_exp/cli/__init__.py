"""The command line: parse, call, print, map errors to exit codes.

Exit codes: 0 done; 1 the run failed; 2 bad usage or bad config; 130 interrupted; 143 terminated.
"""

from __future__ import annotations

import click

from mini_exp import __version__
from mini_exp.cli.completion import completion
from mini_exp.cli.experiment_commands import compare, diagnose, prune, report, run, study
from mini_exp.cli.file_commands import init, schema, validate
from mini_exp.cli.group import SectionedGroup
from mini_exp.cli.result_commands import show, status
from mini_exp.cli.step_commands import STEP_COMMANDS
from mini_exp.cli.welcome import welcome

SECTIONS = {
    "Steps, in order": STEP_COMMANDS,
    "Experiments": (run, prune, report, study, compare, diagnose),
    "Results": (show, status),
    "Experiment files": (init, validate, schema),
    "Shell": (completion,),
}


@click.group(cls=SectionedGroup, sections=SECTIONS, invoke_without_command=True)
@click.version_option(__version__, prog_name="mini-exp")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Spectral Pruning as in Sørby (2019), reproduced and corrected.

    \b
    mini-exp run configs/mini.yaml      Table 1 and Figures 1–7, from nothing
    mini-exp status configs/mini.yaml   what is there, what is stale and why

    `run` does the steps in the order below; each works alone too, from what the steps before it
    have written.
    """
    if ctx.invoked_subcommand is None:
        click.echo(welcome(STEP_COMMANDS))
