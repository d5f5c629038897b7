"""A results directory from Python: opened at once, each file read and checked when asked for.

::

    results = mini_exp.load_results("results/mini")
    results.table1                             # DataFrame
    variant = results["published"]
    variant.selection[1].index_set             # the units of layer 1 that stay
    x, y = variant.tensors["test"]
    logits = variant.finetuned(x)              # torch.nn.Module, in eval mode
    results.study.claims                       # DataFrame
"""

from __future__ import annotations

import abc
import contextlib
import html
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from mini_exp import artifacts
from mini_exp.config import Config, ImageConfig, ImageSettings, Settings, load_config
from mini_exp.errors import ArtifactError, ConfigError
from mini_exp.spectral import Floats, Integers

if TYPE_CHECKING:
    import pandas as pd
    import rich.console
    from torch import Tensor, nn

    from mini_exp.pruning.selection import PruningSelection
    from mini_exp.types import ImageMoments, ImageSplits, Networks, NetworkState, SecondMoments

Layer: TypeAlias = int | str
"""A hidden layer: its number, from 1, in MINI; the name of its group of channels in images."""

STUDY = ("claims.csv", "scores.csv", "sweeps.csv", "table1.csv", "replicates.csv")
COMPARISON = ("networks.csv", "summary.csv", "differences.csv", "budgets.csv")
WIDTH = 120  # characters of a printed table


def load_results(directory: Path | str) -> Results:
    """Open what ``mini-exp run`` wrote, of an experiment on MINI or on images.

    Parameters
    ----------
    directory : path
        ``results/<name>``.

    Returns
    -------
    Results
        Only its settings and its manifest have been read.

    Raises
    ------
    ArtifactError
        If there is no directory, or no ``config.yaml`` in it, or one of the two is damaged. What
        is asked for later raises the same error, which names the file and the command to make it.

    Notes
    -----
    A file that ``manifest.json`` names is refused if its SHA-256 is another: also if it was made
    anew since the results were opened. Nothing is ever unpickled. Whether results belong to the
    present code and settings is not looked at: ``mini-exp status`` does.
    """
    folder = Path(directory)
    digests: dict[Path, str] = {}
    files = _Files(folder, ("config.yaml", "table1.csv"), "run", digests)
    if not folder.is_dir():
        raise ArtifactError(f"{folder}: not a directory; {files.advice}")
    for key, record in artifacts.read_manifest(folder).steps.items():
        variant = key.rpartition("/")[0]
        digests |= {folder / variant / file: digest for file, digest in record.outputs.items()}
    files.content("config.yaml")  # for its SHA-256
    with files.explained("config.yaml"):
        config = load_config(folder / "config.yaml")
    return Results(config, files)


@dataclass(frozen=True)
class _Files:
    """The files of one folder, the command that makes them, and the manifest's SHA-256 of them."""

    folder: Path
    names: tuple[str, ...]
    command: str
    digests: Mapping[Path, str] = field(repr=False)
    kind: str = "mini"

    @property
    def advice(self) -> str:
        return (
            f"make it with `mini-exp {self.command}` and the experiment's file, then load the "
            "results anew"
        )

    @property
    def state(self) -> str:
        """Which files are there, in words."""
        missing = [name for name in self.names if not os.access(self.folder / name, os.R_OK)]
        if len(missing) == len(self.names):
            return f"none; `mini-exp {self.command}` makes them"
        return f"missing: {', '.join(missing)}" if missing else f"all {len(self.names)} files"

    @contextlib.contextmanager
    def explained(self, name: str) -> Iterator[None]:
        """Whatever goes wrong with a file becomes one error that says what makes the file."""
        try:
            yield
        except Exception as error:  # whatever a parser makes of a hostile file
            text = " ".join(str(error).split())
            if not isinstance(error, ArtifactError | ConfigError):  # these name the file
                kind = type(error).__name__
                text = f"{self.folder / name}: cannot be parsed: {kind}: {text[:200]}"
            raise ArtifactError(f"{text}; {self.advice}") from None

    def _expected(self, name: str) -> str | None:
        """The SHA-256 that the manifest names; the file's own where it does not name the file."""
        path = self.folder / name
        return self.digests.get(path) or artifacts.sha256(path)

    def content(self, name: str) -> bytes:
        with self.explained(name):
            return artifacts.read_bytes(self.folder / name, self._expected(name))

    def artifact(self, name: str) -> Any:
        with self.explained(name):
            return artifacts.read(self.folder / name, self._expected(name), self.kind)

    def frame(self, name: str) -> pd.DataFrame:
        import pandas as pd

        content = self.content(name)
        with self.explained(name):
            return pd.read_csv(io.BytesIO(content))


@dataclass(frozen=True)
class KeptUnits:
    """Which units (or channels) of a hidden layer stay."""

    index_set: Integers  # (k,), those that stay, ascending
    index_path: Integers  # (m,) in the order of picking; on images (k,), its beginning
    information_ratio: Floats  # of the same shape: 𝒞 after each pick


@dataclass(frozen=True, eq=False, repr=False)
class Variant(abc.ABC):
    """One variant of an experiment: what its steps wrote, without the replicate axis.

    Every attribute is read when first asked for and kept: copy what you want to change.

    Attributes
    ----------
    name : str
    settings : Settings or ImageSettings
    """

    name: str
    settings: Settings | ImageSettings
    _files: _Files

    def __repr__(self) -> str:
        return f"<variant {self.name}: {self._files.state}>"

    @cached_property
    def history(self) -> pd.DataFrame:
        """``history.csv``: loss and accuracies after every epoch of training."""
        return self._files.frame("history.csv")

    @cached_property
    def finetune_history(self) -> pd.DataFrame:
        """``finetune_history.csv``: the same of fine-tuning."""
        return self._files.frame("finetune_history.csv")

    @cached_property
    def widths(self) -> pd.DataFrame:
        """``widths.csv``: λ, N(λ) and m̂ of every layer, for every ρ."""
        return self._files.frame("widths.csv")

    @cached_property
    def evaluation(self) -> pd.DataFrame:
        """``evaluation.csv``: loss and accuracy of every stage on every split."""
        return self._files.frame("evaluation.csv")

    @property
    @abc.abstractmethod
    def dataset(self) -> Mapping[str, tuple[npt.NDArray[Any], npt.NDArray[Any]]]:
        """From split to inputs and classes.

        MINI (train, test): (n, 30) float64 and (n,) float64 of 0 and 1. Images (train, validation,
        test): (n, channels, height, width) uint8 pixels and (n,) int64.
        """

    @property
    @abc.abstractmethod
    def tensors(self) -> Mapping[str, tuple[Tensor, Tensor]]:
        """The same as the networks take it; images in float32, standardised by the training set."""

    @property
    @abc.abstractmethod
    def second_moments(self) -> Mapping[Layer, Floats]:
        """Σ of every hidden layer's units, of images' channels: (m, m) float64."""

    @property
    @abc.abstractmethod
    def eigenvalues(self) -> Mapping[Layer, Floats]:
        """Of every Σ: (m,) float64, descending."""

    @property
    @abc.abstractmethod
    def width_spectra(self) -> Mapping[Layer, Floats]:
        """The eigenvalues that ``widths`` is made from, layer by layer in its order.

        Those of Σ; of images those of whole layers, (n_images,) float64, if they were computed.
        """

    @property
    @abc.abstractmethod
    def selection(self) -> Mapping[Layer, KeptUnits]:
        """What stays of every hidden layer."""

    @cached_property
    def original(self) -> nn.Module:
        """The trained network, in eval mode: ``tensors`` in, (n, 1) or (n, 10) logits out."""
        return self._network("original")

    @cached_property
    def compressed(self) -> nn.Module:
        """The smaller network before fine-tuning."""
        return self._network("compressed")

    @cached_property
    def finetuned(self) -> nn.Module:
        """The smaller network after fine-tuning."""
        return self._network("finetuned")

    def _network(self, stage: str) -> nn.Module:
        import torch

        from mini_exp.pruning.surgery import with_new_biases

        smaller = stage != "original"
        with torch.random.fork_rng(devices=[]):  # new layers draw weights
            network = self._new_network(smaller)
        file = f"{stage}.safetensors"
        saved = self._files.artifact(file)
        with self._files.explained(file):
            state = self._state(saved)
            if smaller:
                network = with_new_biases(network, state)
            network.load_state_dict(state)
        return network.eval()

    @abc.abstractmethod
    def _new_network(self, smaller: bool) -> nn.Module:
        """A network of the saved one's size."""

    @abc.abstractmethod
    def _state(self, saved: Any) -> dict[str, Tensor]:
        """From its parameters and buffers to what the file says of them."""


class MiniVariant(Variant):
    """A variant of an experiment on MINI."""

    settings: Settings

    @cached_property
    def dataset(self) -> dict[str, tuple[Floats, Floats]]:
        found = self._files.artifact("dataset.npz")
        return {
            "train": (found.x_train[0], found.y_train[0]),
            "test": (found.x_test[0], found.y_test[0]),
        }

    @cached_property
    def tensors(self) -> dict[str, tuple[Tensor, Tensor]]:
        import torch

        splits = self.dataset.items()
        with self._files.explained("dataset.npz"):
            return {s: (torch.from_numpy(x), torch.from_numpy(y)) for s, (x, y) in splits}

    @cached_property
    def _moments(self) -> SecondMoments:
        found: SecondMoments = self._files.artifact("covariance.npz")
        return found

    @cached_property
    def second_moments(self) -> dict[Layer, Floats]:
        return {layer: sigma[0] for layer, sigma in enumerate(self._moments.sigma, start=1)}

    @cached_property
    def eigenvalues(self) -> dict[Layer, Floats]:
        return {layer: mu[0] for layer, mu in enumerate(self._moments.eigenvalues, start=1)}

    @property
    def width_spectra(self) -> dict[Layer, Floats]:
        return self.eigenvalues

    @cached_property
    def selection(self) -> dict[Layer, KeptUnits]:
        found = self._files.artifact("selection.json")
        with self._files.explained("selection.json"):
            return {
                number: KeptUnits(
                    found.index_set(number - 1)[0],
                    layer.index_path[0],
                    layer.information_ratio[0],
                )
                for number, layer in enumerate(found.layers, start=1)
            }

    def _new_network(self, smaller: bool) -> nn.Module:
        import torch
        from torch import nn

        from mini_exp.datasets.mini import DIMENSION

        model = self.settings.model
        hidden = model.widths
        if smaller:
            hidden = tuple(len(units.index_set) for units in self.selection.values())
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise((DIMENSION, *hidden, 1)):
            layers += [nn.Linear(n_in, n_out, model.bias, dtype=torch.float64), nn.ReLU()]
        return nn.Sequential(*layers[:-1])

    def _state(self, saved: Networks) -> dict[str, Tensor]:
        kinds = {"weight": saved.weights, "bias": saved.biases}
        return {
            f"{2 * i}.{kind}": tensor[0]  # every second layer is a ReLU
            for kind, parameters in kinds.items()
            for i, tensor in enumerate(parameters)
        }


class ImageVariant(Variant):
    """A variant of an experiment on images."""

    settings: ImageSettings

    @cached_property
    def _splits(self) -> ImageSplits:
        found: ImageSplits = self._files.artifact("dataset.npz")
        return found

    @cached_property
    def dataset(self) -> dict[str, tuple[npt.NDArray[np.uint8], Integers]]:
        return {name: (split.pixels, split.labels) for name, split in vars(self._splits).items()}

    @cached_property
    def tensors(self) -> dict[str, tuple[Tensor, Tensor]]:
        from mini_exp.image_training import tensors

        splits = self._splits
        with self._files.explained("dataset.npz"):
            return tensors(splits, "cpu")

    @cached_property
    def _moments(self) -> ImageMoments:
        found: ImageMoments = self._files.artifact("covariance.npz")
        return found

    @cached_property
    def _pruning_selection(self) -> PruningSelection:
        found: PruningSelection = self._files.artifact("selection.json")
        return found

    @cached_property
    def second_moments(self) -> dict[Layer, Floats]:
        from mini_exp.pruning.selection import group_second_moment

        found, groups = self._moments.moments, self._pruning_selection.groups
        with self._files.explained("covariance.npz"):
            return {path.group.name: group_second_moment(path.group, found) for path in groups}

    @cached_property
    def eigenvalues(self) -> dict[Layer, Floats]:
        return dict(self._moments.eigenvalues.items())

    @cached_property
    def width_spectra(self) -> dict[Layer, Floats]:
        return dict((self._moments.flattened or self._moments.eigenvalues).items())

    @cached_property
    def selection(self) -> dict[Layer, KeptUnits]:
        return {
            path.group.name: KeptUnits(path.index_set, path.index_path, path.information_ratio)
            for path in self._pruning_selection.groups
        }

    def _new_network(self, smaller: bool) -> nn.Module:
        from mini_exp.image_networks import new_network
        from mini_exp.pruning.surgery import smaller_network

        network = new_network(self.settings.model.kind, self.settings.model.depth)
        if not smaller:
            return network
        selection = self._pruning_selection
        with self._files.explained("selection.json"):
            return smaller_network(network, selection)

    def _state(self, saved: NetworkState) -> dict[str, Tensor]:
        return saved.tensors


@dataclass(frozen=True)
class Study:
    """The tables of ``mini-exp study``."""

    _files: _Files

    @cached_property
    def claims(self) -> pd.DataFrame:
        """``claims.csv``: a verdict per claim of the thesis and variant, with its evidence."""
        return self._files.frame("claims.csv")

    @cached_property
    def scores(self) -> pd.DataFrame:
        """``scores.csv``: mean loss and accuracy on the population, with intervals."""
        return self._files.frame("scores.csv")

    @cached_property
    def sweeps(self) -> pd.DataFrame:
        """``sweeps.csv``: quantiles of the widths over ρ."""
        return self._files.frame("sweeps.csv")

    @cached_property
    def table1(self) -> pd.DataFrame:
        """``table1.csv``: where the thesis's Table 1 lies among the replicates."""
        return self._files.frame("table1.csv")

    @cached_property
    def replicates(self) -> pd.DataFrame:
        """``replicates.csv``: a row per variant and replicate."""
        return self._files.frame("replicates.csv")


@dataclass(frozen=True)
class Comparison:
    """The tables of ``mini-exp compare``."""

    _files: _Files

    @cached_property
    def networks(self) -> pd.DataFrame:
        """``networks.csv``: a row per network, widths, method and stage."""
        return self._files.frame("networks.csv")

    @cached_property
    def summary(self) -> pd.DataFrame:
        """``summary.csv``: means over the networks, with half-widths of their intervals."""
        return self._files.frame("summary.csv")

    @cached_property
    def differences(self) -> pd.DataFrame:
        """``differences.csv``: the method against each other one, network by network."""
        return self._files.frame("differences.csv")

    @cached_property
    def budgets(self) -> pd.DataFrame:
        """``budgets.csv``: exact widths against uniform ones within the same budget."""
        return self._files.frame("budgets.csv")


@dataclass(frozen=True, eq=False, repr=False)
class Results(Mapping[str, Variant]):
    """The results of one experiment; a mapping from variant to what belongs to it.

    Attributes
    ----------
    config : Config or ImageConfig
        The resolved settings.
    """

    config: Config | ImageConfig
    _files: _Files

    @property
    def name(self) -> str:
        """Of the experiment."""
        return self.config.name

    @property
    def directory(self) -> Path:
        return self._files.folder

    @property
    def variants(self) -> tuple[str, ...]:
        """Their names, in the order of the experiment's file."""
        return tuple(self.config.variants)

    @cached_property
    def _variants(self) -> dict[str, Variant]:
        mini = isinstance(self.config, Config)
        kind, variant_class = ("mini", MiniVariant) if mini else ("images", ImageVariant)
        names = tuple(artifacts.FORMATS[kind])
        return {
            variant: variant_class(
                variant,
                settings,
                _Files(self.directory / variant, names, "run", self._files.digests, kind),
            )
            for variant, settings in self.config.variants.items()
        }

    def __getitem__(self, variant: str) -> Variant:
        if variant not in self._variants:
            raise KeyError(f"no variant {variant!r}; expected one of {', '.join(self.variants)}")
        return self._variants[variant]

    def __iter__(self) -> Iterator[str]:
        return iter(self.variants)

    def __len__(self) -> int:
        return len(self.variants)

    @cached_property
    def table1(self) -> pd.DataFrame:
        """``table1.csv``: rows of losses and accuracies, columns the stages."""
        return self._files.frame("table1.csv")

    @cached_property
    def study(self) -> Study:
        """What ``mini-exp study`` found, on MINI only.

        Raises
        ------
        ArtifactError
            If none has run.
        """
        return Study(self._ran(self._study_files))

    @cached_property
    def comparison(self) -> Comparison:
        """What ``mini-exp compare`` found, on images only.

        Raises
        ------
        ArtifactError
            If none has run.
        """
        return Comparison(self._ran(self._comparison_files))

    @property
    def _study_files(self) -> _Files:
        return _Files(self.directory / "study", STUDY, "study", {})

    @property
    def _comparison_files(self) -> _Files:
        return _Files(self.directory / "compare", COMPARISON, "compare", {})

    @staticmethod
    def _ran(files: _Files) -> _Files:
        if not files.folder.is_dir():
            raise ArtifactError(f"{files.folder}: not a directory; {files.advice}")
        return files

    # How it is shown

    def _tables(self) -> list[tuple[str, Sequence[str], list[list[str]]]]:
        """Title, header and cells of what there is, then of Table 1."""
        mini = isinstance(self.config, Config)
        extra = self._study_files if mini else self._comparison_files
        parts = [
            [variant, str(found.settings.seed), found._files.state]
            for variant, found in self.items()
        ]
        parts.append([extra.folder.name, "", extra.state])
        title = f"Results of {self.name} in {self.directory}"
        return [(title, ("Variant", "Seed", "Files"), parts), ("Table 1", *self._table1_cells())]

    def _table1_cells(self) -> tuple[list[str], list[list[str]]]:
        from mini_exp.report.tables import TABLE1_HEADER, table1_cells

        try:
            table = self.table1
            with self._files.explained("table1.csv"):
                return TABLE1_HEADER, [list(map(str, row)) for row in table1_cells(table)]
        except ArtifactError as error:
            return ["Cannot be shown"], [[str(error)]]

    def __rich__(self) -> rich.console.Group:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        shown: list[rich.console.RenderableType] = []
        for title, header, rows in self._tables():
            table = Table(*header, box=None, padding=(0, 2, 0, 0), pad_edge=False)
            for row in rows:
                table.add_row(*(Text(_printable(cell)) for cell in row))
            shown += [Text(_printable(title), "bold"), table, ""]
        return Group(*shown[:-1])

    def __repr__(self) -> str:
        from rich.console import Console

        console = Console(file=io.StringIO(), width=WIDTH, color_system=None, force_jupyter=False)
        with console.capture() as capture:
            console.print(self)
        return "\n".join(line.rstrip() for line in capture.get().splitlines())

    def _repr_html_(self) -> str:
        """What a notebook shows."""

        def cells(tag: str, row: Sequence[str]) -> str:
            return "".join(f"<{tag}>{html.escape(_printable(cell))}</{tag}>" for cell in row)

        text = ""
        for title, header, rows in self._tables():
            body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
            head = f"{cells('caption', [title])}<tr>{cells('th', header)}</tr>"
            text += f"<table>{head}{body}</table>"
        return text


def _printable(text: str) -> str:
    """Without control characters, which could take hold of a terminal."""
    return text if text.isprintable() else repr(text)
