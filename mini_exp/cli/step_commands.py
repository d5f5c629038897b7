"""A command per step."""

from __future__ import annotations

import click

from mini_exp.cli.invocation import FORCE, QUIET, RESULTS, Invocation, on_an_experiment


def _step_command(name: str, text: str, config: str = "configs/mini.yaml") -> click.Command:
    @click.command(name, help=f"{text}\n\nExample: mini-exp {name} {config}")
    @on_an_experiment(RESULTS, FORCE, QUIET)
    def command(invocation: Invocation) -> None:
        experiment = invocation.experiment()
        with invocation.shown(experiment):
            experiment.run_command(name, invocation.force)

    return command


STEP_COMMANDS = (
    _step_command("gen-mini", "Draw the data set MINI (4.3.1)."),
    _step_command("load-images", "Load images, cut a validation set.", "configs/digits.yaml"),
    _step_command("load-data", "Load samples of your own.", "my.yaml"),
    _step_command("train", "Train the networks."),
    _step_command("covariance", "Second moments of the hidden layers, their spectra (8.1)."),
    _step_command("estimate-width", "Solve the width problem for every ρ (4.2.1–4.2.3)."),
    _step_command("select", "Select units greedily (4.1.7), build smaller networks."),
    _step_command("finetune", "Train the smaller networks on, score every stage."),
    _step_command("export", "Write the smaller networks for other programs.", "my.yaml"),
)
