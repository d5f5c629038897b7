"""What PyTorch's functions do to labels, by name; a new one is a line in its file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mini_exp.pruning.calls import Call
from mini_exp.pruning.operations import (
    attention,
    convolution,
    elementwise,
    joining,
    movement,
    normalisation,
    product,
    recurrent,
    reduction,
    selecting,
)
from mini_exp.pruning.propagation import Propagation

Rule = Callable[[Propagation, Call], None]

RULES: dict[str, Rule] = {
    **elementwise.RULES,
    **movement.RULES,
    **joining.RULES,
    **selecting.RULES,
    **reduction.RULES,
    **normalisation.RULES,
    **product.RULES,
    **convolution.RULES,
    **attention.RULES,
    **recurrent.RULES,
}
ELEMENTWISE = frozenset((*elementwise.ELEMENTWISE, *elementwise.DROPOUTS))
COMPOSITES: dict[str, Callable[..., Any]] = attention.COMPOSITES
"""Functions that are run as others that have a rule."""
