"""The command line: parse, call, print, map errors to exit codes.

Exit codes: 0 done; 1 the run failed; 2 bad usage or bad config; 130 interrupted; 143 terminated.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mini_exp import __version__
from mini_exp.errors import ConfigError, MiniExpError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from mini_exp.pipeline import Experiment

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
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        terminal = next((os.dup(number) for number in (2, 1) if os.isatty(number)), None)
        os.dup2(nowhere, 1)  # a progress bar is drawn no more
        if terminal is not None:  # show the cursor, which the bar hid; after ^C and the bar
            os.write(terminal, b"\n" if _is_dumb() else b"\x1b[?25h\n")
        os.write(2, f"mini-exp: {what}; {_KEPT}\n".encode())
        os.dup2(nowhere, 2)  # nobody else has a say in it
        import psutil

        ours = ("spawn_main", "--print-to-pdf")  # workers (not their tracker), a browser
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if any(name in " ".join(child.cmdline()) for name in ours):
                    child.kill()
    finally:
        os._exit(128 + number)


def _is_dumb() -> bool:
    """Whether the terminal takes no escape sequences."""
    return os.environ.get("TERM") in ("dumb", "unknown")


class _Group(click.Group):
    """Turns every error into one message and an exit code."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """As a process of its own; from Python, call ``main``."""
        _end_on_signals()
        return self.main(*args, **kwargs)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for names in SECTIONS.values() for name in names]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        longest = max(map(len, self.commands))
        for title, names in SECTIONS.items():
            with formatter.section(title):
                short = [self.commands[name].get_short_help_str(60) for name in names]
                formatter.write_dl(
                    [(f"{name:{longest}}", text) for name, text in zip(names, short, strict=True)]
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


_debug_option = click.option(
    "--debug",
    is_flag=True,
    expose_value=False,
    callback=_remember_debug,
    help="Show the traceback of an error.",
)


# Shell completion


def _experiment_files(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Experiment files, those one folder down too."""
    from click.shell_completion import CompletionItem

    folder = incomplete[: incomplete.rfind("/") + 1]
    here = Path(folder or ".")
    found = sorted(str(path) for end in ("[!.]*.y*ml", "[!.]*/*.y*ml") for path in here.glob(end))
    return [CompletionItem(file) for file in found if file.startswith(incomplete)]


def _directories(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="dir")]


def _dotted_keys(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The keys that ``--set`` takes, of experiments on MINI and on images."""
    from click.shell_completion import CompletionItem

    from mini_exp.config import Compare, ImageSettings, Settings, Study, keys

    known = dict.fromkeys(
        [
            *(*keys(Settings), *keys(Study, "study.")),
            *(*keys(ImageSettings), *keys(Compare, "compare.")),
        ]
    )
    return [CompletionItem(f"{key}=") for key in known if key.startswith(incomplete)]


# What click's scripts have, of bash and of zsh, and what goes there instead: a key of --set goes on
# behind its =, without a blank. (fish knows that itself.)
WITHOUT_A_BLANK = {
    "COMPREPLY+=($value)": "COMPREPLY+=($value); [[ $value == *= ]] && compopt -o nospace",
    "compadd -U -V": (
        'local -a end; [[ $completions[1] == *= ]] && end=(-S ""); compadd -U "${end[@]}" -V'
    ),
}


# Arguments that several commands have


def _config_argument(function: Callable[..., None]) -> Callable[..., None]:
    """The experiment file and the options that change what is read from it."""
    for decorate in reversed(
        [
            click.argument(
                "config", type=click.Path(path_type=Path), shell_complete=_experiment_files
            ),
            click.option(
                "--set",
                "overrides",
                multiple=True,
                metavar="KEY=VALUE",
                shell_complete=_dotted_keys,
                help="Change a setting of every variant, e.g. train.epochs=50, or of one: "
                "variants.published.train.epochs=50. Repeatable.",
            ),
            click.option("--device", metavar="NAME", help="Short for --set device=NAME."),
            _debug_option,
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
) -> Experiment:
    from mini_exp.config import load_config
    from mini_exp.pipeline import Experiment

    if device is not None:
        overrides = (*overrides, f"device={device}")
    say = (lambda line: None) if quiet else click.echo
    return Experiment(load_config(config, overrides), results, say)


def _on_terminal(quiet: bool) -> bool:
    """Whether there is somebody to look at a bar."""
    return not quiet and sys.stdout.isatty() and not _is_dumb()


@contextlib.contextmanager
def _shown(experiment: Experiment, quiet: bool) -> Iterator[None]:
    """Show the steps while they run: live at a terminal, else by the experiment's own lines."""
    if not _on_terminal(quiet):
        yield
        return
    from mini_exp.terminal import LiveRun

    with LiveRun() as live:
        experiment.say, experiment.watch = live.say, live.watch
        yield


# Commands

SECTIONS = {
    "Steps, in order": (
        *("gen-mini", "load-images", "train", "covariance", "estimate-width", "select"),
        "finetune",
    ),
    "Experiments": ("run", "report", "study", "compare"),
    "Results": ("show", "status"),
    "Experiment files": ("init", "validate", "schema"),
    "Shell": ("completion",),
}


@click.group(cls=_Group, invoke_without_command=True)
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
        click.echo(_welcome())


def _welcome() -> str:
    """The six steps, and what to type next in this directory."""
    steps = [name for name in SECTIONS["Steps, in order"] if name != "load-images"]
    lines = [(name, main.commands[name].get_short_help_str(60)) for name in steps]
    following = []
    config = _experiment_here()
    finished = sorted(path.parent for path in Path("results").glob("*/table1.csv"))
    if finished:
        own = [path for path in finished if config and path.name == config.stem]
        shown = shlex.quote(str((own or finished)[0]))
        following.append((f"mini-exp show {shown}", "what a finished run found"))
    if config is None:
        following.append(("mini-exp init my.yaml", "write an experiment file"))
    run = f"mini-exp run {shlex.quote(str(config or 'my.yaml'))}"
    following += [(run, "all six steps"), ("mini-exp --help", "every command")]
    return "\n".join(
        [
            "Spectral Pruning as in Sørby (2019), in six steps:\n",
            *(f"  {name:16}{what}" for name, what in lines),
            "\nNext:\n",
            *(f"  {command:34}{what}" for command, what in following),
        ]
    )


def _experiment_here() -> Path | None:
    """An experiment file of this directory."""
    if Path("configs/mini.yaml").is_file():
        return Path("configs/mini.yaml")
    for path in sorted(Path().glob("*.y*ml")):
        with contextlib.suppress(OSError):
            if "\nvariants:" in path.read_text(encoding="utf-8", errors="replace"):
                return path
    return None


def _add_step(name: str, help_text: str, config: str = "configs/mini.yaml") -> None:
    @main.command(name, help=f"{help_text}\n\nExample: mini-exp {name} {config}")
    @_run_options
    def command(
        config: Path,
        overrides: tuple[str, ...],
        device: str | None,
        results: Path,
        force: bool,
        quiet: bool,
    ) -> None:
        experiment = _experiment(config, overrides, device, results, quiet)
        with _shown(experiment, quiet):
            experiment.run_command(name, force)


_add_step("gen-mini", "Draw the data set MINI (4.3.1).")
_add_step("load-images", "Load digits or CIFAR-10, cut a validation set.", "configs/digits.yaml")
_add_step("train", "Train the networks.")
_add_step("covariance", "Second moments of the hidden layers, their spectra (8.1).")
_add_step("estimate-width", "Solve the width problem for every ρ (4.2.1–4.2.3).")
_add_step("select", "Select units greedily (4.1.7), build smaller networks.")
_add_step("finetune", "Train the smaller networks on, score every stage.")


@main.command()
@_run_options
@click.option("--pdf", is_flag=True, help="Print report.pdf too, with Chromium, Chrome or Edge.")
def report(
    config: Path,
    overrides: tuple[str, ...],
    device: str | None,
    results: Path,
    force: bool,
    quiet: bool,
    pdf: bool,
) -> None:
    """Tables, figures and report, from what the steps saved.

    Example: mini-exp report configs/mini.yaml
    """
    experiment = _experiment(config, overrides, device, results, quiet)
    from mini_exp import artifacts
    from mini_exp.report.pdf import browser, printed

    if pdf:
        browser()  # the lack of one is said before the report is built
    with _shown(experiment, quiet):
        experiment.run_command("report", force)
    if pdf:
        content = printed(experiment.directory / "report.html")
        artifacts.write_bytes(experiment.directory / "report.pdf", content)
        experiment.say(f"Printed: {experiment.directory / 'report.pdf'}")


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
    with _shown(experiment, quiet):
        experiment.run(force)
    if not quiet:
        from mini_exp.terminal import show_table1

        show_table1(experiment.directory / "table1.csv")
        click.echo(f"Report: {experiment.directory / 'report.html'}")


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
    """Replicate every variant; give each claim a verdict.

    The claims are the thesis's; beside every variant run controls, on the same data.

    Example: mini-exp study configs/mini.yaml --replicates 1000
    """
    experiment = _experiment(config, overrides, device, results, quiet)
    from mini_exp.config import Config

    if not isinstance(experiment.config, Config):
        raise ConfigError(f"{config}: data.kind: study is for mini; see `compare` for images")
    experiment.check_devices()
    from mini_exp.study.run import run_study

    run_study(
        experiment.config,
        experiment.directory,
        replicates,
        chunk_size,
        workers,
        scheduler,
        experiment.say,
        _on_terminal(quiet),
    )
    with _shown(experiment, quiet):
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
    """Prune trained networks in other ways, at the same widths.

    Measures accuracy, size and speed.

    Example: mini-exp compare configs/digits.yaml
    """
    experiment = _experiment(config, overrides, device, results, quiet)
    from mini_exp.config import ImageConfig

    if not isinstance(experiment.config, ImageConfig):
        raise ConfigError(f"{config}: data.kind: compare is for images, got mini; see `study`")
    experiment.check_devices()
    from mini_exp.compare.run import run_compare

    with _shown(experiment, quiet):
        experiment.run()
    run_compare(experiment.config, experiment.directory, force, experiment.say)
    # Anew: it has looked for the comparison's files before.
    anew = _experiment(config, overrides, device, results, quiet)
    with _shown(anew, quiet):
        anew.run()
    experiment.say(f"Comparison: {experiment.directory / 'compare' / 'compare.md'}")


@main.command()
@click.argument("directory", type=click.Path(path_type=Path), shell_complete=_directories)
@_debug_option
def show(directory: Path) -> None:
    """Print Table 1, the claims' verdicts, other pruners.

    Of a results directory, from its CSV files alone.

    Example: mini-exp show results/mini
    """
    from mini_exp import terminal

    terminal.show(directory)


@main.command()
@_config_argument
@_results_option
def status(config: Path, overrides: tuple[str, ...], device: str | None, results: Path) -> None:
    """Show which steps are fresh, stale (and why) or missing.

    Example: mini-exp status configs/mini.yaml
    """
    for state in _experiment(config, overrides, device, results, quiet=False).status():
        why = f"  ({state.why})" if state.why else ""
        click.echo(f"{state.variant:16} {state.step:15} {state.state:8}{why}".rstrip())


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--data",
    type=click.Choice(["mini", "digits", "cifar10"]),
    default="mini",
    show_default=True,
    help="What the experiment is on.",
)
@_debug_option
def init(file: Path, data: str) -> None:
    """Write a commented experiment file to start from.

    Every setting with its default and what it means, and beside it a schema by which editors
    complete and check it.

    Example: mini-exp init my.yaml
    """
    from mini_exp.starter import write_starter

    for written in write_starter(file, data):
        click.echo(f"Written: {written}")
    click.echo(f"Next: mini-exp run {shlex.quote(str(file))}")


@main.command()
@_config_argument
def validate(config: Path, overrides: tuple[str, ...], device: str | None) -> None:
    """Check an experiment file, print all settings.

    Defaults are spelled out, for every variant.

    Example: mini-exp validate configs/mini.yaml --set select.theta=1
    """
    experiment = _experiment(config, overrides, device, Path("results"), quiet=False)
    click.echo(experiment.config.as_yaml(), nl=False)


@main.command()
def schema() -> None:
    """Print the JSON Schema of experiment files, for editors.

    Example: mini-exp schema > mini-exp.schema.json
    """
    from mini_exp.schema import schema_text

    click.echo(schema_text(), nl=False)


@main.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
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
    script = made_by(main, {}, "mini-exp", "_MINI_EXP_COMPLETE").source()
    for part, instead in WITHOUT_A_BLANK.items():
        script = script.replace(part, instead)
    click.echo(script)
