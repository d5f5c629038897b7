"""What tests of whole runs share: names, and how to read what a command says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

VARIANTS = ("published", "corrected_bias")
STEPS = ("gen-mini", "train", "covariance", "estimate-width", "select", "finetune")
MAKERS = {
    "dataset.npz": "gen-mini",
    "original.safetensors": "train",
    "history.csv": "train",
    "covariance.npz": "covariance",
    "widths.csv": "estimate-width",
    "selection.json": "select",
    "compressed.safetensors": "select",
    "finetuned.safetensors": "finetune",
    "finetune_history.csv": "finetune",
    "evaluation.csv": "finetune",
}
PAGES = ("config.yaml", "table1.csv", "table1.md", "table1.tex", "report.md", "report.html")


def succeeded(result):
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return result


def failed(result, code: int = 1) -> str:
    """The only line on stderr."""
    assert result.exit_code == code, result.output
    assert len(result.stderr.splitlines()) == 1
    return result.stderr


def steps_run(stdout: str) -> set[tuple[str, str]]:
    """Which steps of which variants a command says it ran; the others it must call fresh."""
    lines = re.findall(r"^(\S*) +([a-z-]+) +(fresh, skipped|[\d.]+ s.*)$", stdout, re.MULTILINE)
    return {(variant, step) for variant, step, what in lines if what != "fresh, skipped"}


def damage(path: Path) -> None:
    """Flip one bit in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def manifest(project) -> dict:
    return json.loads((project.directory / "manifest.json").read_text(encoding="utf-8"))


def tensors(project, variant: str, name: str) -> dict[str, np.ndarray]:
    return load_file(project.directory / variant / f"{name}.safetensors")


def kept_widths(project, variant: str) -> list[int]:
    network = tensors(project, variant, "compressed")
    return [len(network[f"layers.{layer}.weight"]) for layer in range(3)]


def index_sets(project, variant: str) -> list[list[int]]:
    text = (project.directory / variant / "selection.json").read_text(encoding="utf-8")
    return [sorted(layer["indices"]) for layer in json.loads(text)["layers"]]
