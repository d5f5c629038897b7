"""Dependencies point one way, as the design says: an allow-list per layer, read from the source."""

import ast
import sys
from pathlib import Path

import pytest

import mini_exp
from tests import oracles

PACKAGE = Path(mini_exp.__file__).parent

CORE = {"errors", "spectral"}
PRUNING = CORE | {"pruning"}
MIDDLE = {
    *("config", "seeds", "networks", "datasets", "training"),
    *("image_networks", "image_training"),
}
BELOW_STEPS = PRUNING | {"types"} | MIDDLE

ALLOWED = {
    "__init__": {"pruning", "saving", "results"},
    "errors": set(),
    "spectral": CORE,
    "pruning": PRUNING,
    "types": PRUNING,
    **dict.fromkeys(MIDDLE, BELOW_STEPS),
    "artifacts": PRUNING | {"types"},
    "saving": PRUNING | {"types", "artifacts"},
    "report": BELOW_STEPS | {"report", "__init__"},
    "results": BELOW_STEPS | {"report", "artifacts"},
    "steps": BELOW_STEPS,
    "study": BELOW_STEPS | {"report", "steps", "artifacts", "pipeline", "study"},
    "compare": BELOW_STEPS | {"report", "artifacts", "pipeline", "compare"},
    "pipeline": BELOW_STEPS | {"steps", "artifacts", "__init__"},
    "terminal": {"errors"},
    "schema": {"config"},
    "starter": {"errors", "config", "schema", "artifacts"},
    "cli": BELOW_STEPS
    | {"steps", "study", "compare", "artifacts", "pipeline", "__init__"}
    | {"report", "schema", "starter", "terminal"},
    "__main__": {"cli"},
}
MODULES = sorted(PACKAGE.rglob("*.py"))
REPORTS = {PACKAGE / "steps" / "report.py", PACKAGE / "steps" / "images" / "report.py"}


def layer_of(module):
    """``mini_exp.spectral.width`` belongs to spectral, ``mini_exp`` itself to __init__."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def imported(path):
    """Every module that the source imports, wherever the import stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            for alias in node.names:
                inside = PACKAGE.joinpath(*node.module.split(".")[1:], alias.name)
                is_module = inside.with_suffix(".py").is_file() or inside.is_dir()
                ours = node.module.split(".")[0] == "mini_exp"
                yield f"{node.module}.{alias.name}" if ours and is_module else node.module


def ours(path):
    return {name for name in imported(path) if name.split(".")[0] == "mini_exp"}


def layer_of_path(path):
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_dependencies_point_one_way(path):
    layer = layer_of_path(path)
    assert layer in ALLOWED, f"{layer}: give the new layer a place in the design and here"
    allowed = ALLOWED[layer] | ({"report"} if path in REPORTS else set())
    assert {layer_of(name) for name in ours(path)} <= allowed


@pytest.mark.parametrize(
    "path", sorted((PACKAGE / "spectral").glob("*.py")), ids=lambda path: path.stem
)
def test_the_core_needs_arrays_only(path):
    roots = {name.split(".")[0] for name in imported(path)}
    assert roots <= {"numpy", "scipy", "torch", "mini_exp"} | sys.stdlib_module_names


@pytest.mark.parametrize(
    "path", sorted((PACKAGE / "spectral").glob("*.py")), ids=lambda path: path.stem
)
def test_the_core_opens_no_file_and_prints_nothing(path):
    names = {n.id for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.Name)}
    assert not names & {"open", "print", "input"}
    assert not {name.split(".")[0] for name in imported(path)} & {"os", "pathlib", "io", "sys"}


@pytest.mark.parametrize(
    "path", sorted((PACKAGE / "steps").rglob("*.py")), ids=lambda path: path.stem
)
def test_steps_never_import_each_other(path):
    assert not {name for name in ours(path) if layer_of(name) == "steps"}


def test_of_the_steps_only_the_step_report_uses_the_report():
    users = {path for path in MODULES for name in ours(path) if layer_of(name) == "report"}
    readers = ("report", "study", "compare", "results", "cli")  # cli: to print it
    outside = {path for path in users if layer_of_path(path) not in readers}
    assert outside <= REPORTS


def test_steps_do_not_touch_the_disk():
    for path in (PACKAGE / "steps").rglob("*.py"):
        # A data set's root is a path; the data set reads it.
        allowed = {"pathlib"} if path.name == "load_images.py" else set()
        assert not {n.split(".")[0] for n in imported(path)} & {"os", "pathlib", "io"} - allowed


def test_every_layer_exists():
    missing = set(ALLOWED) - {layer_of_path(path) for path in MODULES}
    assert missing <= {"study"}


def test_the_oracles_import_nothing_of_the_package():
    assert not ours(Path(oracles.__file__))


def test_the_reader_sees_imports_inside_functions(tmp_path):
    source = tmp_path / "module.py"
    source.write_text(
        "def f():\n    from mini_exp.steps import train\n    import mini_exp.cli\n"
        "    from mini_exp import artifacts, __version__\n"
    )
    assert ours(source) == {
        "mini_exp.steps.train",
        "mini_exp.cli",
        "mini_exp.artifacts",
        "mini_exp",
    }
