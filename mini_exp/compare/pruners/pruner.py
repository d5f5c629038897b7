"""What a way to prune is: it ranks the channels, or it makes the smaller network itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

if TYPE_CHECKING:
    from torch import nn

    from mini_exp.compare.candidate import Candidate
    from mini_exp.pruning.costs import Unit
    from mini_exp.pruning.selection import GroupPath
    from mini_exp.spectral import Integers

Weights: TypeAlias = Literal["reconstruct", "slice", ""]


@dataclass(frozen=True)
class RankingPruner:
    """Ranks every group's channels; what is kept is compressed by reconstruction and by slicing.

    Attributes
    ----------
    name : str
    paths : callable
        All channels of every group of the candidate, the best first.
    theta : float or None
        θ of (4.1.5), where it has one.
    uses_moments : bool
        Whether it looks at the second moments, whose seconds then count as its own.
    """

    weights: ClassVar[tuple[Weights, ...]] = ("reconstruct", "slice")

    name: str
    paths: Callable[[Candidate], list[GroupPath]] = field(compare=False)
    theta: float | None = None
    uses_moments: bool = False


@dataclass(frozen=True)
class NetworkPruner:
    """Makes the smaller network itself: what people would use instead of spectral pruning.

    Differences and budgets are those to these.

    Attributes
    ----------
    name : str
    pruned : callable
        A smaller copy of the candidate's network, from it and the width of every group (G,).
    applies : callable
        Whether the candidate's network has what it looks at.
    """

    weights: ClassVar[tuple[Weights, ...]] = ("",)
    theta: ClassVar[None] = None

    name: str
    pruned: Callable[[Candidate, Integers], nn.Module] = field(compare=False)
    applies: Callable[[Candidate], bool] = field(default=lambda candidate: True, compare=False)


@dataclass(frozen=True)
class BudgetPruner:
    """Makes the smaller network and chooses its widths itself.

    Attributes
    ----------
    name : str
    pruned : callable
        A smaller copy of the candidate's network, from it, the unit of the budget and the share
        of the network's cost.
    """

    weights: ClassVar[tuple[Weights, ...]] = ("",)
    theta: ClassVar[None] = None

    name: str
    pruned: Callable[[Candidate, Unit, float], nn.Module] = field(compare=False)


Pruner: TypeAlias = RankingPruner | NetworkPruner | BudgetPruner


@dataclass(frozen=True)
class Method:
    """A pruner, and what becomes of the weights that read removed channels."""

    pruner: Pruner
    weights: Weights

    @property
    def columns(self) -> dict[str, Any]:
        """What rows say of it."""
        return {
            "method": self.pruner.name,
            "theta": self.pruner.theta,
            "weights": self.weights,
        }
