"""A table of every fault tried, printed when the tests end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

_OUTCOMES: Counter[tuple[str, str]] = Counter()


@pytest.fixture
def tried() -> Callable[[str, str], None]:
    """Record a fault and what came of it; call it after the assertions."""

    def record(fault: str, outcome: str) -> None:
        _OUTCOMES[fault, outcome] += 1

    return record


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _OUTCOMES:
        terminalreporter.section("faults tried")
        for (fault, outcome), times in sorted(_OUTCOMES.items()):
            terminalreporter.line(f"{times:5} x  {fault:52} {outcome}")
