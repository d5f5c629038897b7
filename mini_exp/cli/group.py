"""The group of all commands: its help in sections, its errors as one message and an exit code."""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

import click

from mini_exp.cli.signals import KEPT, end_on_signals
from mini_exp.errors import ConfigError, MiniExpError


class SectionedGroup(click.Group):
    """Commands under titles."""

    def __init__(
        self, *args: Any, sections: Mapping[str, Sequence[click.Command]], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.sections = sections
        for commands in sections.values():
            for command in commands:
                self.add_command(command)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """As a process of its own; from Python, call ``main``."""
        end_on_signals()
        return self.main(*args, **kwargs)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        longest = max(map(len, self.commands))
        for title, commands in self.sections.items():
            with formatter.section(title):
                formatter.write_dl(
                    [
                        (f"{command.name:{longest}}", command.get_short_help_str(60))
                        for command in commands
                    ]
                )

    def invoke(self, ctx: click.Context) -> Any:
        with contextlib.suppress(AttributeError):  # a terminal that cannot show ρ shows \u03c1
            sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
            sys.stderr.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, BrokenPipeError):
            raise  # click's own, and a closed pipe (`| head`), which it ends quietly
        except (KeyboardInterrupt, click.Abort):
            click.echo(f"mini-exp: interrupted; {KEPT}", err=True)
            ctx.exit(130)
        except MiniExpError as error:
            _show(ctx, str(error))
            ctx.exit(2 if isinstance(error, ConfigError) else 1)
        except OSError as error:
            _show(ctx, f"{error.filename or 'system'}: {error.strerror or error}")
            ctx.exit(1)
        except MemoryError:
            _show(ctx, "out of memory: use smaller settings")
            ctx.exit(1)
        except Exception as error:
            text = " ".join(str(error).split())
            _show(
                ctx,
                f"internal error: {type(error).__name__}: {text}; --debug shows where, please "
                "report it",
            )
            ctx.exit(1)


def _show(ctx: click.Context, message: str) -> None:
    if ctx.meta.get("debug"):
        traceback.print_exc()
    for line in message.splitlines():
        click.echo(f"mini-exp: {line}", err=True)


def _remember_debug(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    ctx.meta["debug"] = value


debug_option = click.option(
    "--debug",
    is_flag=True,
    expose_value=False,
    callback=_remember_debug,
    help="Show the traceback of an error.",
)
