"""`mini-exp compare`: every method on the same trained networks, at the same widths."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from mini_exp import artifacts
from mini_exp.compare import figures, tables
from mini_exp.compare.networks import network_rows
from mini_exp.config import ImageConfig, ImageSettings
from mini_exp.image_training import tensors
from mini_exp.pipeline import code_hashes
from mini_exp.report.figures import rendered
from mini_exp.types import ImageSplits

Say = Callable[[str], None]


def run_compare(config: ImageConfig, directory: Path, force: bool, say: Say) -> None:
    """Compare on every network that is not done yet, then write the tables and the figure.

    Uses the data, network, training and calibration of the first variant; a finished network's
    rows are kept in ``compare/``, so an interrupted comparison goes on with the next network.

    Parameters
    ----------
    config : ImageConfig
    directory : Path
        The experiment's results directory, with the first variant's ``dataset.npz``; the
        comparison goes to ``compare/`` in it.
    force : bool
        Repeat what is done.
    say : callable
    """
    variant, settings = next(iter(config.variants.items()))
    folder = directory / "compare"
    with artifacts.locked(directory):
        path = directory / variant / "dataset.npz"
        images = artifacts.read_manifest(directory).steps[f"{variant}/load-images"].outputs
        splits = artifacts.read(path, images[path.name], "images")
        ledger = _Ledger(config, images[path.name], folder, force)
        data = tensors(splits, settings.device)
        for r in range(config.compare.networks):
            if ledger.has(r):
                say(f"compare: network {r + 1} of {config.compare.networks}: there, skipped")
                continue
            rows = []
            for row in network_rows(config, settings, data, r):
                rows.append(row)
                say(
                    f"compare: network {r + 1} of {config.compare.networks}: {row['widths']}, "
                    f"{row['method']} {row['weights']}: {row['stage']} {row['test_accuracy']:.3f}"
                )
            ledger.add(r, pd.DataFrame(rows))
        frame = pd.concat([ledger.rows(r) for r in range(config.compare.networks)])
        for name, content in compare_pages(config, settings, frame, splits).items():
            artifacts.write_bytes(folder / name, content)


def compare_pages(
    config: ImageConfig, settings: ImageSettings, frame: pd.DataFrame, splits: ImageSplits
) -> dict[str, bytes]:
    """Every file of ``compare/``."""
    summary = tables.summary_table(frame, config.compare.confidence)
    differences = tables.differences_table(frame, config.compare.confidence)
    budgets = tables.budgets_table(frame, config.compare.confidence)
    short = tables.differences_markdown(config, settings, splits, differences)
    text = tables.compare_markdown(config, settings, splits, summary, short, budgets)
    pages = {
        "networks.csv": _csv(frame),
        "summary.csv": _csv(summary),
        "differences.csv": _csv(differences),
        "budgets.csv": _csv(budgets),
        "differences.md": short.encode(),
        "compare.md": text.encode(),
        "config.yaml": config.as_yaml().encode(),
    }
    figure = figures.accuracy_figure(summary)
    for suffix in ("png", "pdf"):
        pages[f"figures/accuracy.{suffix}"] = rendered(figure, suffix)
    return pages


class _Ledger:
    """Which networks' rows are on disk, and for which settings, images and code."""

    def __init__(self, config: ImageConfig, images: str, folder: Path, force: bool) -> None:
        self.folder = folder
        self.path = folder / "ledger.json"
        settings = next(iter(config.variants.values()))
        compare = config.compare.model_dump(mode="json")
        unused: Any = {"width": True, "compress": True, "select": {"theta"}}
        self.made_for: dict[str, Any] = {
            "settings": settings.model_dump(mode="json", exclude=unused),
            "compare": {key: compare[key] for key in ("keep", "parameters", "flops")},
            "images": images,
            "code": code_hashes("mini_exp.compare.networks"),
        }
        self.files: dict[str, str] = {}
        try:
            found = json.loads(self.path.read_bytes())
        except (OSError, ValueError):
            found = None  # none yet, or unreadable: then no network counts as done
        if isinstance(found, dict) and found.get("made_for") == self.made_for and not force:
            self.files = found["files"]

    def _file(self, r: int) -> Path:
        return self.folder / "networks" / f"{r:03d}.csv"

    def has(self, r: int) -> bool:
        path = self._file(r)
        expected = self.files.get(path.name)
        return expected is not None and artifacts.sha256(path) == expected

    def add(self, r: int, rows: pd.DataFrame) -> None:
        path = self._file(r)
        self.files[path.name] = artifacts.write_bytes(path, _csv(rows))
        content = {"made_for": self.made_for, "files": self.files}
        artifacts.write_bytes(self.path, json.dumps(content, indent=1).encode())

    def rows(self, r: int) -> pd.DataFrame:
        path = self._file(r)
        content = artifacts.read_bytes(path, self.files[path.name])
        return pd.read_csv(io.BytesIO(content), keep_default_na=False)


def _csv(frame: pd.DataFrame) -> bytes:
    return frame.to_csv(index=False, lineterminator="\n").encode()
