"""The results of one experiment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mini_exp.errors import ArtifactError
from mini_exp.experiment.manifest import read_manifest
from mini_exp.experiment.sequence import ARTIFACTS
from mini_exp.files import read_bytes, sha256
from mini_exp.results import showing
from mini_exp.results.comparison import COMPARISON, Comparison
from mini_exp.results.diagnosis import DIAGNOSIS, Diagnosis
from mini_exp.results.result_files import ResultFiles
from mini_exp.results.study import STUDY, Study
from mini_exp.results.variant import Variant
from mini_exp.settings.config import Config
from mini_exp.settings.reading import load_config

if TYPE_CHECKING:
    import pandas as pd
    import rich.console


def load_results(directory: Path | str) -> Results:
    """Open what ``mini-exp run`` wrote.

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
    files = ResultFiles(folder, {"table1.csv": "table"}, "run", digests)
    files.check_folder()
    for key, record in read_manifest(folder).steps.items():
        variant = key.rpartition("/")[0]
        digests |= {folder / variant / file: digest for file, digest in record.outputs.items()}
    path = folder / "config.yaml"
    with files.explained("config.yaml"):
        read_bytes(path, digests.get(path) or sha256(path))
        config = load_config(path)
    return Results(config, files)


@dataclass(frozen=True, eq=False, repr=False)
class Results(Mapping[str, Variant]):
    """The results of one experiment; a mapping from variant to what belongs to it.

    Attributes
    ----------
    config : Config
        The resolved settings.
    """

    config: Config
    _files: ResultFiles

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
        return {
            name: Variant(
                name,
                settings,
                ResultFiles(self.directory / name, ARTIFACTS, "run", self._files.digests),
            )
            for name, settings in self.config.variants.items()
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
        """What ``mini-exp study`` gave, on MINI only.

        Raises
        ------
        ArtifactError
            If none has run.
        """
        files = self._repetition("study")
        files.check_folder()
        return Study(files)

    @cached_property
    def comparison(self) -> Comparison:
        """What ``mini-exp compare`` gave, on images only.

        Raises
        ------
        ArtifactError
            If none has run.
        """
        files = self._repetition("compare")
        files.check_folder()
        return Comparison(files)

    @cached_property
    def diagnosis(self) -> Diagnosis:
        """What ``mini-exp diagnose`` gave, on MINI only.

        Raises
        ------
        ArtifactError
            If none has run.
        """
        files = self._repetition("diagnose")
        files.check_folder()
        return Diagnosis(files)

    def _repetition(self, command: str) -> ResultFiles:
        tables = {"study": STUDY, "compare": COMPARISON, "diagnose": DIAGNOSIS}[command]
        return ResultFiles(self.directory / command, dict.fromkeys(tables, "table"), command)

    # How it is shown

    def _tables(self) -> list[showing.Table]:
        command = self.config.first.data.repetition
        parts = [
            [name, str(variant.settings.seed), variant._files.state]
            for name, variant in self.items()
        ]
        if command:
            parts.append([command, "", self._repetition(command).state])
        title = f"Results of {self.name} in {self.directory}"
        return [
            showing.Table(title, ("Variant", "Seed", "Files"), parts),
            self._shown_table1(),
        ]

    def _shown_table1(self) -> showing.Table:
        from mini_exp.report.tables import TABLE1_HEADER, table1_cells

        try:
            table = self.table1
            with self._files.explained("table1.csv"):
                cells = [list(map(str, row)) for row in table1_cells(table)]
        except ArtifactError as error:
            return showing.Table("Table 1", ["Cannot be shown"], [[str(error)]])
        return showing.Table("Table 1", TABLE1_HEADER, cells)

    def __rich__(self) -> rich.console.Group:
        return showing.rich_group(self._tables())

    def __repr__(self) -> str:
        return showing.plain_text(self._tables())

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return showing.html_text(self._tables())
