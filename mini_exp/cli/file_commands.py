"""Commands on experiment files: init, validate, schema."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mini_exp.cli.group import debug_option
from mini_exp.cli.invocation import Invocation, on_an_experiment

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class DataKind(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.4 on
    """A kind of data; which there are is looked up late, since pydantic takes long to import."""

    name = "kind"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str | None:
        return self._choice().get_metavar(param, ctx)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return self._choice().convert(value, param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return self._choice().shell_complete(ctx, param, incomplete)

    @staticmethod
    def _choice() -> click.Choice[str]:
        from mini_exp.tasks import DATA
        from mini_exp.tasks.section import kind_of

        return click.Choice([kind_of(section) for section in DATA])


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--data",
    type=DataKind(),
    default="mini",
    show_default=True,
    help="What the experiment is on.",
)
@debug_option
def init(file: Path, data: str) -> None:
    """Write a commented experiment file to start from.

    Every setting with its default and what it means, and beside it a schema by which editors
    complete and check it.

    Example: mini-exp init my.yaml
    """
    from mini_exp.settings.starter import write_starter

    for written in write_starter(file, data):
        click.echo(f"Written: {written}")
    click.echo(f"Next: mini-exp run {shlex.quote(str(file))}")


@click.command()
@on_an_experiment()
def validate(invocation: Invocation) -> None:
    """Check an experiment file, print all settings.

    Defaults are spelled out, for every variant.

    Example: mini-exp validate configs/mini.yaml --set select.theta=1
    """
    config = invocation.config()
    click.echo(config.as_yaml(), nl=False)
    for remark in dict.fromkeys(one.model.remark() for one in config.variants.values()):
        if remark:
            click.echo(f"# run {remark}")


@click.command()
def schema() -> None:
    """Print the JSON Schema of experiment files, for editors.

    Example: mini-exp schema > mini-exp.schema.json
    """
    from mini_exp.settings.schema import schema_text

    click.echo(schema_text(), nl=False)
