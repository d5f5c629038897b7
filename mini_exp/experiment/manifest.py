"""What a results directory holds and how it was made: ``manifest.json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from mini_exp.errors import ArtifactError
from mini_exp.files import write_bytes

MANIFEST = "manifest.json"
KEPT = "manifest-1.json"  # a manifest of the first version, once steps have run anew


class Record(BaseModel):
    """How a step's present results were made: what they depend on, and the files' SHA-256."""

    model_config = ConfigDict(extra="forbid")

    settings: dict[str, Any]
    inputs: dict[str, str | None]
    code: dict[str, str]
    files: dict[str, str | None] = {}  # outside of the results
    outputs: dict[str, str]
    seconds: float
    finished: str
    environment: str
    version: Literal[1, 2] = 1  # of the manifest that it was made for


class Manifest(BaseModel):
    """A record per finished step, and where they ran."""

    model_config = ConfigDict(extra="forbid")

    version: Literal[1, 2] = 2
    name: str = ""
    seeds: dict[str, int] = {}
    environments: dict[str, dict[str, Any]] = {}
    steps: dict[str, Record] = {}


def read_manifest(directory: Path) -> Manifest:
    """The manifest, of this version or the one before; an empty one where there is none.

    Raises
    ------
    ArtifactError
        If it is damaged or of another version.
    """
    path = directory / MANIFEST
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Manifest()
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read: {error.strerror}") from None
    except ValidationError:
        raise ArtifactError(
            f"{path}: damaged, or of another version of mini-exp; delete it to run every step anew"
        ) from None


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Replace the manifest; one of the version before is kept as ``manifest-1.json``."""
    if manifest.version == 1:
        write_bytes(directory / KEPT, (directory / MANIFEST).read_bytes())
        manifest.version = 2
    used = {record.environment for record in manifest.steps.values()}
    manifest.environments = {k: made for k, made in manifest.environments.items() if k in used}
    text = json.dumps(manifest.model_dump(), indent=1, ensure_ascii=False) + "\n"
    write_bytes(directory / MANIFEST, text.encode())
