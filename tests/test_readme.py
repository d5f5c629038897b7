"""What the README says is what the repository holds."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from scripts import update_readme

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_numbers_are_those_of_the_committed_run() -> None:
    assert update_readme.updated(README) == README


def test_links_and_images_are_there() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert links
    for link in links:
        assert (ROOT / link).exists(), link


def test_make_targets_are_there() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"make ([a-z-]+)", README)):
        assert re.search(rf"^{target}:", makefile, re.M), target


EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.S)
OUTPUTS = [
    r"\{'0': 16, '3': 32\}\nTrue\n",
    r"272474 68786\n",
    r"Linear\(in_features=30, out_features=16, bias=True\) \[(\d+, ){7}\d+\]\n",
    r"\(1, 10, 8\) True\n",
]


@pytest.mark.parametrize(("example", "output"), list(zip(EXAMPLES, OUTPUTS, strict=True)))
def test_python_examples_run(
    example: str, output: str, tmp_path: Path, capsys: Any, monkeypatch: Any
) -> None:
    assert len(example.splitlines()) < 20
    path = tmp_path / "example.py"
    path.write_text(example, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(path))
    assert re.fullmatch(output, capsys.readouterr().out)
