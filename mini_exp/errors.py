"""The errors that a user can cause or mend; each message is one line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


class MiniExpError(Exception):
    """Base of every error that mini-exp raises on purpose."""


class ConfigError(MiniExpError):
    """The experiment file or an option is wrong; nothing was written."""


class ArtifactError(MiniExpError):
    """A file under the results directory is missing, damaged, stale or cannot be written."""


class ShapeError(MiniExpError):
    """An array has the wrong shape."""


class DomainError(MiniExpError):
    """A number lies outside the domain of the formula."""


class TrainingError(MiniExpError):
    """Training did not give a usable network."""


class NetworkError(MiniExpError):
    """A network cannot be pruned: it holds something that the method does not cover."""


OF_THE_METHOD = (DomainError, NetworkError, ShapeError, TrainingError)
"""What formulas, networks and training raise: they know no command and no variant."""


@contextlib.contextmanager
def named(place: str, kinds: tuple[type[MiniExpError], ...] = OF_THE_METHOD) -> Iterator[None]:
    """Let errors of these kinds begin with the place that the user knows: a command, a variant."""
    try:
        yield
    except kinds as error:
        raise type(error)(f"{place}: {error}") from None
