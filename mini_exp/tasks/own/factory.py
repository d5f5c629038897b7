"""The function that makes a network: found without importing, imported, called, given weights."""

from __future__ import annotations

import contextlib
import importlib
import importlib.machinery
import itertools
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from mini_exp.errors import ConfigError
from mini_exp.files import sha256
from mini_exp.tasks.own.settings import PythonModel

_imported: dict[str, str | None] = {}  # from a module to the SHA-256 of its source


def own_network(model: PythonModel) -> nn.Module:
    """The network that the function makes, with the weights where there are some.

    Raises
    ------
    ConfigError
        If there is no such module, function or file; if the function raises, or returns something
        else; if the weights do not fit.
    """
    module, _, function = model.factory.partition(":")
    with _current_directory_first():
        target = _module(model.factory, module)
        for part in function.split("."):
            if not hasattr(target, part):
                raise ConfigError(
                    f"model.factory: {model.factory}: the module {module} has no {function}"
                )
            target = getattr(target, part)
        if not callable(target):
            raise ConfigError(
                f"model.factory: {model.factory}: expected a function, got {target!r}"
            )
        try:
            network = target(**model.arguments)
        except (Exception, SystemExit) as error:  # whatever somebody else's function raises
            raise ConfigError(
                f"model.factory: {model.factory} raised {_told(error)}; --debug shows where"
            ) from error
    if not isinstance(network, nn.Module):
        raise ConfigError(
            f"model.factory: {model.factory}: expected it to return a torch.nn.Module, got "
            f"{type(network).__name__}"
        )
    if next(network.parameters(), None) is None:
        raise ConfigError(f"model.factory: {model.factory}: the network has no parameters")
    if model.weights is not None:
        _load(network, Path(model.weights))
    return network


def _module(factory: str, name: str) -> object:
    """The module, imported anew where its source is not the one that was imported."""
    source = _source(name)
    if source is None and name not in sys.modules:
        raise ConfigError(
            f"model.factory: {factory}: no module {name} in {Path.cwd()} or among those installed"
        )
    digest = None if source is None else sha256(source)
    before = sys.modules.get(name)
    if before is not None and source is not None:
        place = getattr(before, "__file__", None)
        same_place = place is not None and Path(place).resolve() == source.resolve()
        if not same_place or _imported.get(name, digest) != digest:
            for other in [*sys.modules]:
                if other == name or other.startswith(f"{name}."):
                    del sys.modules[other]
    try:
        importlib.invalidate_caches()
        module = importlib.import_module(name)
    except (Exception, SystemExit) as error:  # whatever somebody else's module raises
        raise ConfigError(
            f"model.factory: importing {name} raised {_told(error)}; --debug shows where"
        ) from error
    _imported[name] = digest
    return module


def _source(name: str) -> Path | None:
    """Where a module's source is, without importing anything of it."""
    importlib.invalidate_caches()
    *packages, _ = itertools.accumulate(name.split("."), "{}.{}".format)
    spec = _spec(next(iter([*packages, name])), [str(Path.cwd())])
    for part in [*packages, name][1:]:
        inside = None if spec is None else spec.submodule_search_locations
        spec = None if inside is None else _spec(part, list(inside))
    return Path(spec.origin) if spec and spec.origin and spec.has_location else None


def _spec(name: str, path: list[str]) -> importlib.machinery.ModuleSpec | None:
    """Of a module in these folders; of one without a package also of those installed."""
    with contextlib.suppress(ImportError, ValueError):
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is not None or "." in name:
            return spec
        for finder in sys.meta_path:
            spec = finder.find_spec(name, None)
            if spec is not None:
                return spec
    return None


@contextlib.contextmanager
def _current_directory_first() -> Iterator[None]:
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # a module may change the path, too
            sys.path.remove(here)


def _told(error: BaseException) -> str:
    text = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _load(network: nn.Module, path: Path) -> None:
    """Give a network its weights."""
    state = _state(path)
    expected = network.state_dict()
    for name in dict.fromkeys([*expected, *state]):
        if name not in state:
            if not name.endswith("num_batches_tracked"):  # old files have none
                raise _misfit(path, name, _shape(expected[name]), "no such key")
        elif name not in expected:
            raise _misfit(path, name, "no such key", _shape(state[name]))
        elif expected[name].shape != state[name].shape:
            raise _misfit(path, name, _shape(expected[name]), _shape(state[name]))
    network.load_state_dict(state)


def _misfit(path: Path, name: str, expected: str, got: str) -> ConfigError:
    return ConfigError(
        f"model.weights: {path}: does not fit the network: {name}: expected {expected}, got {got}"
    )


def _shape(tensor: Tensor) -> str:
    return f"shape {tuple(tensor.shape)}"


def _state(path: Path) -> Mapping[str, Tensor]:
    """A state dict; nothing is unpickled but tensors."""
    if not path.is_file():
        raise ConfigError(f"model.weights: {path}: no such file")
    try:
        if path.suffix == ".safetensors":
            state: object = safetensors.torch.load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a parser makes of a hostile file
        raise ConfigError(
            f"model.weights: {path}: cannot be read: {_told(error)[:200]}; expected a state dict "
            "as safetensors, or as torch.save(network.state_dict(), path) writes it"
        ) from None
    if not isinstance(state, Mapping):
        raise ConfigError(
            f"model.weights: {path}: expected a state dict, got {type(state).__name__}"
        )
    other = next((name for name, value in state.items() if not isinstance(value, Tensor)), None)
    if other is not None or not state:
        raise ConfigError(
            f"model.weights: {path}: expected a state dict of tensors, got "
            f"{'nothing' if other is None else f'{type(state[other]).__name__} as {other!r}'}; "
            "save network.state_dict() alone"
        )
    return state


def model_files(model: PythonModel) -> dict[str, str | None]:
    """SHA-256 of the function's module and of the weights; None where there is none."""
    module = model.factory.partition(":")[0]
    source = _source(module)
    files = {f"the module {module}": None if source is None else sha256(source)}
    if model.weights is not None:
        files[model.weights] = sha256(Path(model.weights))
    return files


def import_remark(model: PythonModel) -> str:
    """What will be imported, and from where."""
    module, _, function = model.factory.partition(":")
    source = _source(module)
    where = "which is not there yet" if source is None else f"from {source}"
    return f"imports {module}, {where}, and calls {function}"
