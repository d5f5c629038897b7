"""Which source a computation depends on: read from the imports, so nothing is imported."""

from __future__ import annotations

import ast
import functools
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
BESIDE = ("templates/*", "*.mplstyle")

# What these hold of an experiment, and what a step says of itself, is in its fingerprint by value.
BY_VALUE = re.compile(
    r"errors|steps\.step|tasks\.section|tasks\.\w+\.settings|tasks\.images\.models"
)


@functools.cache
def code_hashes(*modules: str) -> dict[str, str]:
    """SHA-256 of the code in every file of the package that modules depend on, by name.

    Comments, docstrings and layout do not count: they change no result. Nor do settings, which
    count by value. Templates and styles of every package that is reached do.

    Examples
    --------
    >>> sorted(code_hashes("mini_exp.seeds"))
    ['seeds']
    """
    hashes: dict[str, str] = {}
    seen, packages = {"settings"}, set()
    waiting = [module.removeprefix("mini_exp.") for module in modules]
    while waiting:
        name = waiting.pop()
        path = _source(name)
        if path is None or name in seen or name.startswith("settings."):
            continue
        seen.add(name)
        digest, imports = _code(path)
        waiting += imports
        if not BY_VALUE.fullmatch(name):
            hashes[name] = digest
            packages.add(path.parent)
    for path in (file for package in packages for glob in BESIDE for file in package.glob(glob)):
        name = path.relative_to(PACKAGE).as_posix()
        hashes[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return dict(sorted(hashes.items()))


def _source(name: str) -> Path | None:
    """The file of a module or package, if there is one; the package's own name is not asked for."""
    module = PACKAGE.joinpath(*name.split("."))
    for path in (module.with_name(f"{module.name}.py"), module / "__init__.py"):
        if name and path.is_file():
            return path
    return None


@functools.cache
def _code(path: Path) -> tuple[str, tuple[str, ...]]:
    """SHA-256 of a file's code, and what it imports of this package."""
    tree = ast.parse(path.read_bytes())
    for node in ast.walk(tree):
        if isinstance(
            node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        ) and ast.get_docstring(node):
            node.body = node.body[1:] or [ast.Pass()]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest(), tuple(_imports(tree))


def _imports(tree: ast.Module) -> Iterator[str]:
    """Names of this package that the source imports, without the package's own name."""
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            if name.split(".")[0] == "mini_exp":
                yield name.removeprefix("mini_exp").removeprefix(".")
