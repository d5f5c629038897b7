"""Experiment files: YAML → one resolved `Settings` per variant, or one clear error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mini_exp.errors import ConfigError
from mini_exp.settings.config import REPETITIONS, Config
from mini_exp.settings.defaults import data_class
from mini_exp.settings.merging import drop, merged, put
from mini_exp.settings.messages import Place, either, messages, shown
from mini_exp.settings.parts import checked_name, file_parts
from mini_exp.settings.settings import Settings
from mini_exp.settings.yaml import YamlError, parsed
from mini_exp.tasks import DATA
from mini_exp.tasks.section import DataSection, kind_of

MAX_CHARACTERS = 100_000  # of an experiment file; parsing takes seconds beyond


def load_config(path: Path, overrides: Sequence[str] = ()) -> Config:
    """Read and check an experiment file.

    Parameters
    ----------
    path : Path
    overrides : sequence of "dotted.key=value"
        Applied last, to every variant; ``variants.<variant>.<key>=value`` to one.

    Raises
    ------
    ConfigError
        Naming the file, the key, what was expected and what came. Nothing is written.
    """
    text = _text(path)
    raw = _parsed(str(path), text)
    return _resolved(str(path), raw, [_override(text) for text in overrides])


def _text(path: Path) -> str:
    """The characters of a file in UTF-8."""
    try:
        with path.open("rb") as file:
            content = file.read(4 * MAX_CHARACTERS + 1)  # a character has at most four bytes
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    # Of the text that a config is, UTF-16 and UTF-32 have every other byte 0.
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or 4 * content.count(0) > len(content) > 3:
        raise ConfigError(
            f"{path}: cannot be read: expected UTF-8, got UTF-16 or UTF-32; save it as UTF-8"
        )
    try:
        text = content.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        if len(content) <= 4 * MAX_CHARACTERS:
            byte, line = content[error.start], content.count(b"\n", 0, error.start) + 1
            raise ConfigError(
                f"{path}: cannot be read: expected UTF-8, got the byte 0x{byte:02x} in line "
                f"{line}, as Latin-1 or Windows-1252 has it; save it as UTF-8"
            ) from None
        text = "." * (MAX_CHARACTERS + 1)
    if len(text) > MAX_CHARACTERS:
        raise ConfigError(f"{path}: expected at most {MAX_CHARACTERS} characters, got more")
    return text


def _parsed(source: str, text: str) -> Any:
    try:
        return parsed(text)
    except YamlError as error:
        raise ConfigError(f"{source}: not valid YAML: {error}") from None


def _override(text: str) -> tuple[list[str], Any]:
    """The key and the value of one ``--set``."""
    key, equals, value = text.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise ConfigError(f"--set: expected dotted.key=value, got {text!r}")
    return parts, _parsed(f"--set {key}", value)


def _resolved(source: str, raw: Any, overrides: Sequence[tuple[list[str], Any]]) -> Config:
    name, shared, specific = file_parts(source, raw)
    for key, value in overrides:
        if key == ["name"]:
            name = checked_name("--set", "name", value)
        else:
            _change(shared, specific, key, value)
    set_keys = [".".join(key) for key, _ in overrides]
    data = _data_class(source, set_keys, shared, specific)
    beyond = {command: shared.pop(command, {}) for command in data.beyond}

    problems: list[str] = []
    for other in REPETITIONS.keys() & shared.keys():
        del shared[other]
        problems.append(f"{other}: unknown key where data.kind is {kind_of(data)}")
    variants = {}
    for variant, settings in specific.items():
        try:
            variants[variant] = Settings.model_validate(merged(shared, settings))
        except ValidationError as error:
            beside = ("name", "variants", *beyond)
            place = Place(Settings, variant=variant, specific=settings, beside=beside)
            problems += messages(error, place)
    sections: dict[str, Any] = {}
    for command, given in beyond.items():
        try:
            sections[command] = REPETITIONS[command].model_validate(given)
        except ValidationError as error:
            problems += messages(error, Place(REPETITIONS[command], (command,)))
    if len({settings.export for settings in variants.values()}) > 1:
        problems.append("export: expected the same in every variant")
    if problems:
        raise _refusal(source, set_keys, problems)
    return Config.model_validate({"name": name, "variants": variants, **sections})


def _change(
    shared: dict[str, Any], specific: Mapping[str, dict[str, Any]], key: list[str], value: Any
) -> None:
    """Set a key for every variant, or for the one that it names."""
    if key[0] != "variants":
        put(shared, key, value)
        for settings in specific.values():
            drop(settings, key)
        return
    if len(key) < 3 or key[1] not in specific:
        raise ConfigError(
            f"--set: {'.'.join(key)}: expected variants.VARIANT.KEY with a variant of "
            f"{', '.join(specific)}"
        )
    put(specific[key[1]], key[2:], value)


def _data_class(
    source: str,
    set_keys: Sequence[str],
    shared: Mapping[str, Any],
    specific: Mapping[str, Mapping[str, Any]],
) -> type[DataSection]:
    """The section of the first variant's data, when those of all variants are of one task."""
    classes = {}
    for variant, settings in specific.items():
        given = merged(shared, settings).get("data", {})
        place = Place(Settings, variant=variant, specific=settings)
        if not isinstance(given, Mapping):
            problem = f"{place.name(('data',))}: expected a mapping, got {shown(given)}"
            raise _refusal(source, set_keys, [problem])
        section = data_class(given)
        if section is None:
            expected = either(kind_of(section) for section in DATA)
            problem = f"expected {expected}, got {shown(given['kind'])}"
            raise _refusal(source, set_keys, [f"{place.name(('data', 'kind'))}: {problem}"])
        classes[variant] = section
    _refuse_several_tasks(source, classes)
    return next(iter(classes.values()))


def _refuse_several_tasks(source: str, classes: Mapping[str, type[DataSection]]) -> None:
    tasks = dict.fromkeys(section.task for section in classes.values())
    if len(tasks) > 1:
        kinds = [[kind_of(section) for section in DATA if section.task == task] for task in tasks]
        fewest = min(kinds, key=len)
        given = ", ".join(f"{kind_of(section)} in {name}" for name, section in classes.items())
        raise ConfigError(
            f"{source}: data.kind: expected {either(fewest)} in every variant or in none, got "
            f"{given}"
        )


def _refusal(source: str, set_keys: Sequence[str], problems: Sequence[str]) -> ConfigError:
    """An error with a line for every problem, once, and who caused it: the file or an option."""
    lines: dict[str, None] = {}
    for problem in problems:
        where = f"{problem.partition(':')[0]}."
        from_option = any(
            where.startswith(f"{key}.") or f"{key}.".startswith(where) for key in set_keys
        )
        lines[f"{'--set' if from_option else source}: {problem}"] = None
    return ConfigError("\n".join(lines))
