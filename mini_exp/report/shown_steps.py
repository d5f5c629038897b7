"""The steps as a report shows them: what each writes, its settings, how long it took."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

from mini_exp.report.tables import markdown
from mini_exp.settings.config import Config
from mini_exp.settings.sections import Choose
from mini_exp.steps.record import StepRecord
from mini_exp.tasks.section import Section


def shown_steps(
    config: Config,
    records: Sequence[StepRecord],
    main: str,
    given: Mapping[str, str] | None = None,
) -> list[dict[str, Any]]:
    """What a report says of every step; a setting stands under the first step that reads it.

    Parameters
    ----------
    config : Config
    records : sequence of StepRecord
    main : str
        The variant whose settings stand in the map of the steps.
    given : mapping from key to text, optional
        What the thesis says of a setting; without it the thesis has no column.
    """
    variants = {name: dict(_values(settings)) for name, settings in config.variants.items()}
    named = {f"data.{key}" for key in config.first.data.scoring_keys}  # no part of "data"
    unread = list(dict.fromkeys(key for values in variants.values() for key in values))
    steps = []
    for record in records:
        read = [key for key in unread if _reads(record, key, named)]
        unread = [key for key in unread if key not in read]
        own = variants[main]
        steps.append(
            {
                "name": record.name,
                "outputs": record.outputs,
                "shown": ", ".join(f"{key} {own[key]}" for key in read if key in own),
                "took": _took(record),
                "settings_table": _settings_table(read, variants, given),
            }
        )
    return steps


def _took(record: StepRecord) -> str:
    """Seconds, from the fastest variant to the slowest; empty if the record does not tell."""
    seconds = sorted(record.seconds.values())
    ends = [f"{value:.2f}" for value in (seconds[:1] + seconds[-1:])]
    return "–".join(dict.fromkeys(ends)) + " s" if ends else ""


def _reads(record: StepRecord, key: str, named: Container[str]) -> bool:
    if key in named:
        return key in record.settings
    return any(f"{key}.".startswith(f"{part}.") for part in record.settings)


def _settings_table(
    keys: Sequence[str],
    variants: Mapping[str, Mapping[str, str]],
    given: Mapping[str, str] | None,
) -> str:
    columns = {name: [values.get(key, "–") for key in keys] for name, values in variants.items()}
    if given is not None:
        columns = {"Thesis": [given.get(key, "not given") for key in keys], **columns}
    header = ["Setting", *columns]
    shown = [f"`{key}`" for key in keys]
    cells = [list(row) for row in zip(shown, *columns.values(), strict=True)]
    return markdown(header, cells, len(header))


def _values(section: Section, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Dotted keys and their values as text; how the widths are chosen is one value."""
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, Section) and not isinstance(value, Choose):
            yield from _values(value, f"{prefix}{name}.")
        else:
            yield prefix + name, _plain(value)


def _plain(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(map(_plain, value))
    if isinstance(value, Choose):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.model_dump().items())
    return f"{value:g}" if isinstance(value, float) else str(value)
