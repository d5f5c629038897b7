"""Dependencies point one way, as the design says: read from the source."""

import ast
import sys
from pathlib import Path

import pytest

import mini_exp
from tests import oracles

PACKAGE = Path(mini_exp.__file__).parent
TESTS = Path(__file__).parent

# Each layer may import itself and the rows above it, not its neighbours.
LEVELS = (
    ("errors",),
    ("files", "progress", "resources", "seeds"),
    ("spectral",),
    ("pruning",),
    ("tasks",),
    ("settings",),
    ("steps",),
    ("experiment",),
    ("report",),
    ("study", "compare"),
    ("diagnostics",),
    ("results",),
    ("cli",),
    ("__main__",),
)
LAYERS = [layer for level in LEVELS for layer in level]
PUBLIC = {"pruning", "results"}  # whose functions ``mini_exp`` itself offers
VERSIONED = {"experiment", "report", "cli"}  # that name the version

MODULES = sorted(PACKAGE.rglob("*.py"))
CORE = [path for path in MODULES if path.relative_to(PACKAGE).parts[0] in ("spectral", "pruning")]
STEPS = sorted((PACKAGE / "steps").glob("*.py"))
SAVING = PACKAGE / "pruning" / "saving.py"  # all that opens files of pruned networks


def name_of(path):
    return str(path.relative_to(PACKAGE))


def layer_of(module):
    """``mini_exp.spectral.width`` belongs to spectral, ``mini_exp`` itself to __init__."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def allowed(layer):
    """Layers that a layer may import."""
    if layer == "__init__":
        return PUBLIC
    level = next(i for i, names in enumerate(LEVELS) if layer in names)
    below = {name for names in LEVELS[:level] for name in names}
    return below | {layer} | ({"__init__"} if layer in VERSIONED else set())


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


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_dependencies_point_one_way(path):
    layer = path.relative_to(PACKAGE).with_suffix("").parts[0]
    assert layer in (*LAYERS, "__init__"), f"{layer}: give the new layer a place in the design"
    assert {layer_of(name) for name in ours(path)} <= allowed(layer)


def test_every_layer_exists():
    present = {path.relative_to(PACKAGE).with_suffix("").parts[0] for path in MODULES}
    assert present == {*LAYERS, "__init__"}


@pytest.mark.parametrize("path", CORE, ids=name_of)
def test_the_core_needs_arrays_only(path):
    roots = {name.split(".")[0] for name in imported(path)}
    known = {"numpy", "scipy", "torch", "mini_exp"} | sys.stdlib_module_names
    assert roots <= known | ({"safetensors"} if path == SAVING else set())


@pytest.mark.parametrize("path", [path for path in CORE if path != SAVING], ids=name_of)
def test_the_core_opens_no_file_and_prints_nothing(path):
    names = {n.id for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.Name)}
    assert not names & {"open", "print", "input"}
    assert not {name.split(".")[0] for name in imported(path)} & {"os", "pathlib", "io", "sys"}


def is_step(path):
    """Whether a module says what it reads and writes."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    targets = [target for node in body if isinstance(node, ast.Assign) for target in node.targets]
    names = {target.id for target in targets if isinstance(target, ast.Name)}
    return bool(names & {"STEP", "STEPS"})


@pytest.mark.parametrize("path", STEPS, ids=name_of)
def test_steps_never_import_each_other(path):
    steps = {f"mini_exp.steps.{path.stem}" for path in STEPS if is_step(path)}
    assert len(steps) == 8
    assert not ours(path) & steps


@pytest.mark.parametrize("path", STEPS, ids=name_of)
def test_steps_do_not_touch_the_disk(path):
    assert not {name.split(".")[0] for name in imported(path)} & {"os", "pathlib", "io"}


def test_the_oracles_import_nothing_of_the_package():
    assert not ours(Path(oracles.__file__))


def n_lines(path):
    return len(path.read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_is_no_longer_than_300_lines(path):
    assert n_lines(path) <= 300


@pytest.mark.parametrize(
    "path", sorted(TESTS.rglob("*.py")), ids=lambda path: str(path.relative_to(TESTS))
)
def test_a_file_of_tests_is_no_longer_than_350_lines(path):
    assert n_lines(path) <= 350


def test_the_reader_sees_imports_inside_functions(tmp_path):
    source = tmp_path / "module.py"
    source.write_text(
        "def f():\n    from mini_exp.steps import train\n    import mini_exp.cli\n"
        "    from mini_exp import files, __version__\n"
    )
    assert ours(source) == {
        "mini_exp.steps.train",
        "mini_exp.cli",
        "mini_exp.files",
        "mini_exp",
    }
