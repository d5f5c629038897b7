"""Shell completion: of commands, files, and the keys of ``--set``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# What click's scripts have, of bash and of zsh, and what goes there instead: a key of --set goes on
# behind its =, without a blank. (fish knows that itself.)
WITHOUT_A_BLANK = {
    "COMPREPLY+=($value)": "COMPREPLY+=($value); [[ $value == *= ]] && compopt -o nospace",
    "compadd -U -V": (
        'local -a end; [[ $completions[1] == *= ]] && end=(-S ""); compadd -U "${end[@]}" -V'
    ),
}


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    To install it, run the line of your shell once, then open a new one:

    \b
    echo 'eval "$(mini-exp completion bash)"' >> ~/.bashrc
    echo 'eval "$(mini-exp completion zsh)"' >> ~/.zshrc
    mini-exp completion fish > ~/.config/fish/completions/mini-exp.fish

    Example: mini-exp completion bash
    """
    from click.shell_completion import BashComplete, FishComplete, ZshComplete

    made_by = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}[shell]
    program = ctx.find_root().command
    script = made_by(program, {}, "mini-exp", "_MINI_EXP_COMPLETE").source()
    for part, instead in WITHOUT_A_BLANK.items():
        script = script.replace(part, instead)
    click.echo(script)


def experiment_files(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Experiment files, those one folder down too."""
    from click.shell_completion import CompletionItem

    folder = incomplete[: incomplete.rfind("/") + 1]
    here = Path(folder or ".")
    files = sorted(str(path) for end in ("[!.]*.y*ml", "[!.]*/*.y*ml") for path in here.glob(end))
    return [CompletionItem(file) for file in files if file.startswith(incomplete)]


def directories(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="dir")]


def dotted_keys(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The keys that ``--set`` takes, whatever the experiment is on."""
    from click.shell_completion import CompletionItem

    from mini_exp.settings.config import REPETITIONS
    from mini_exp.settings.settings import Settings
    from mini_exp.settings.walk import keys

    known = [*keys(Settings)]
    for command, section in REPETITIONS.items():
        known += keys(section, f"{command}.")
    return [CompletionItem(f"{key}=") for key in known if key.startswith(incomplete)]
