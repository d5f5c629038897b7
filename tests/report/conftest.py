"""The report of the tiny experiment."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def markdown(tiny) -> str:
    return (tiny.directory / "report.md").read_text(encoding="utf-8")
