"""The group of all commands: its help in sections, its errors as one message and an exit code."""

from __future__ import annotations

import contextlib
import errno
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

import click

from mini_exp.cli.signals import KEPT, end_on_signals
from mini_exp.cli.surroundings import open_standard_streams, own_surroundings
from mini_exp.errors import ConfigError, MiniExpError

TOO_LARGE = (
    *("can't allocate memory", "array is too big", "Maximum allowed dimension exceeded"),
    *("Storage size calculation overflowed", "not enough memory"),
)
OUT_OF_MEMORY = "out of memory: use smaller settings"


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
        """As a process of its own where the command line gives the arguments.

        In somebody else's process, a notebook's say, Ctrl-C is theirs.
        """
        if not args and kwargs.get("args") is None:
            open_standard_streams()
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
        for stream in (sys.stdout, sys.stderr):  # a terminal that cannot show ρ shows \u03c1
            with contextlib.suppress(AttributeError):
                stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        try:
            with own_surroundings():
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
            if no_memory(error):
                _show(ctx, OUT_OF_MEMORY)
                ctx.exit(1)
            _show(ctx, f"{error.filename or 'system'}: {error.strerror or error}")
            ctx.exit(1)
        except Exception as error:
            if no_memory(error):
                _show(ctx, OUT_OF_MEMORY)
                ctx.exit(1)
            text = " ".join(str(error).split())
            _show(
                ctx,
                f"internal error: {type(error).__name__}: {text}; --debug shows where, please "
                "report it",
            )
            ctx.exit(1)


def no_memory(error: BaseException) -> bool:
    """Whether an error says that there is not enough memory: Python's, NumPy's or PyTorch's."""
    text = str(error)
    return (
        isinstance(error, MemoryError)
        or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError | ValueError) and any(map(text.__contains__, TOO_LARGE)))
    )


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
