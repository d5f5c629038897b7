"""What the README says is what the repository holds."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

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


def test_python_example_runs(tmp_path: Path, capsys) -> None:
    example = re.search(r"```python\n(.*?)```", README, re.S)
    assert example
    path = tmp_path / "example.py"
    path.write_text(example[1], encoding="utf-8")
    runpy.run_path(str(path))
    assert capsys.readouterr().out == "(1, 10, 8) True\n"
