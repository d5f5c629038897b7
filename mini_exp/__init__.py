"""mini-exp: Spectral Pruning as in Sørby (2019), reproduced, corrected and measured."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mini_exp.pruning.fidelity import agreement_of_decisions as agreement_of_decisions
    from mini_exp.pruning.prune import prune as prune
    from mini_exp.pruning.recovery import Recovery as Recovery
    from mini_exp.pruning.saving import load_pruned as load_pruned
    from mini_exp.pruning.saving import save_pruned as save_pruned
    from mini_exp.results import load_results as load_results

__version__ = "0.2.0"

_PLACES = {
    "prune": "mini_exp.pruning.prune",
    "Recovery": "mini_exp.pruning.recovery",
    "agreement_of_decisions": "mini_exp.pruning.fidelity",
    "save_pruned": "mini_exp.pruning.saving",
    "load_pruned": "mini_exp.pruning.saving",
    "load_results": "mini_exp.results",
}
__all__ = [
    "Recovery",
    "agreement_of_decisions",
    "load_pruned",
    "load_results",
    "prune",
    "save_pruned",
]


def __getattr__(name: str) -> Any:
    """Import PyTorch only when something that needs it is asked for: the terminal starts fast."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PLACES])
