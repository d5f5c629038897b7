"""What stays of every group of channels: data that pruning, saving and reports share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mini_exp.pruning.graph import Frozen, Group, Layer
from mini_exp.pruning.table import layer_table
from mini_exp.spectral import Floats, Integers


@dataclass(frozen=True)
class GroupPath:
    """Channels of a group in the order of picking, and 𝒞 after each pick.

    Attributes
    ----------
    index_path : (..., n_picks) int64
        At least as many as are kept; all m in an experiment's steps, ``compare`` and ``study``.
    information_ratio : (..., n_picks) float64
        NaN where another ranking than the greedy one made the order.
    output_scale : (...) float64, optional
        c of (4.1.4): R_z = c WᵀW has trace m.
    losses, exhaustive : dict of (..., m) float64
        Of the first 1 … m channels, by name, and the best that any set of that size reaches; empty
        where the group is too wide, or the path does not go to its end.
    """

    group: Group
    index_path: Integers
    information_ratio: Floats
    output_scale: Floats | None = None
    losses: Mapping[str, Floats] = field(default_factory=dict)
    exhaustive: Mapping[str, Floats] = field(default_factory=dict)

    def first(self, n_picks: int) -> GroupPath:
        """The same path with fewer picks."""
        picks = slice(n_picks)
        return replace(
            self,
            index_path=self.index_path[..., picks],
            information_ratio=self.information_ratio[..., picks],
        )


@dataclass(frozen=True)
class GroupSelection:
    """The first ``width`` channels of a group's path."""

    path: GroupPath
    width: int

    @property
    def group(self) -> Group:
        return self.path.group

    @property
    def index_path(self) -> Integers:
        """The kept channels in the order of picking: (..., width)."""
        return self.path.index_path[..., : self.width]

    @property
    def index_set(self) -> Integers:
        """The same channels, ascending."""
        return np.sort(self.index_path, axis=-1)

    @property
    def information_ratio(self) -> Floats:
        """𝒞 after each of these picks: (..., width)."""
        return self.path.information_ratio[..., : self.width]


@dataclass(frozen=True)
class Recovered:
    """What the repair did to the held-out tenth of the samples.

    Attributes
    ----------
    divergence : str
        "kl" in nats, "squared error" as a share of the variance.
    before, after : float
        After is never more: of all checks the best network is kept, the start among them.
    rate, steps : float and int
        At which rate, and after how many steps, it was best; 0 steps where nothing was better.
    n : int
        Held-out samples.
    """

    divergence: str
    before: float
    after: float
    rate: float
    steps: int
    n: int

    def __str__(self) -> str:
        return (
            f"recovered: {self.divergence} of the original's outputs {self.before:.3g} -> "
            f"{self.after:.3g} on {self.n} held-out samples"
        )


@dataclass(frozen=True)
class NormFit:
    """What a norm over the kept channels alone makes of them.

    Attributes
    ----------
    weight : str
        The norm's weight.
    scale : float
        c, by which it is multiplied: c n' is nearest to n, what the norm over all channels gives of
        the kept ones before weight and bias.
    error : float
        1 − R² in [0, 1]: what remains of n, Ê‖n − c n'‖² / Ê‖n‖².
    """

    weight: str
    scale: float
    error: float


@dataclass(frozen=True)
class Selection:
    """The channels that stay, group by group in the order of execution.

    Attributes
    ----------
    groups : tuple of GroupSelection
    rescale_dropout : bool
        Whether dropout probabilities are multiplied by the kept share.
    gap : float or None
        Of widths within a budget: no widths within it can have a sum of losses smaller by more than
        this share.
    layers : tuple of Layer
        Uses of weights, from which parameters and multiply-accumulates are counted.
    frozen : tuple of Frozen
        What was left whole, and why.
    agreement : float or None
        Of the check: the largest difference between the outputs of the pruned network and of one
        with zeros instead, as a share of the largest output.
    predicted_loss : float or None
        Of measured widths within a budget: the sum over the groups of what each loses alone.
    recovered : Recovered or None
        What the repair did.
    norms : tuple of NormFit
        Of norms over fewer channels, on the calibration samples.
    """

    groups: tuple[GroupSelection, ...]
    rescale_dropout: bool = False
    gap: float | None = None
    layers: tuple[Layer, ...] = ()
    frozen: tuple[Frozen, ...] = ()
    agreement: float | None = None
    predicted_loss: float | None = None
    recovered: Recovered | None = None
    norms: tuple[NormFit, ...] = ()

    @property
    def widths(self) -> dict[str, int]:
        """From each group's name to its new width."""
        return {kept.group.name: kept.width for kept in self.groups}

    @property
    def index_sets(self) -> dict[str, list[int]]:
        """From each group's name to its kept channels, ascending."""
        return {kept.group.name: kept.index_set.tolist() for kept in self.groups}

    def __str__(self) -> str:
        """A table of the layers before and after, what was left whole, what narrow norms lose."""
        share = {kept.group.name: kept.width / kept.group.width for kept in self.groups}
        left = [f"left whole: {one.name} ({one.width}): {one.reason}" for one in self.frozen]
        lines = [*layer_table(self.layers, share), *left]
        if self.norms:
            worst = max(self.norms, key=lambda fit: fit.error)
            lines.append(
                f"norms over fewer channels: up to {worst.error:.3g} of the mean square of what is "
                f"kept ({worst.weight})"
            )
        return "\n".join([*lines, str(self.recovered)] if self.recovered else lines)


def first_channels(
    paths: Sequence[GroupPath],
    widths: Sequence[int] | Integers,
    rescale_dropout: bool = False,
    gap: float | None = None,
) -> Selection:
    """The beginning of every path, as long as the widths say."""
    groups = tuple(
        GroupSelection(path, int(width)) for path, width in zip(paths, widths, strict=True)
    )
    return Selection(groups, rescale_dropout, gap)
