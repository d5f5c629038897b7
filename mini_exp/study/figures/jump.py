"""Where the width problem's solver jumps to the full widths (C5)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mini_exp.report import thesis
from mini_exp.report.drawing import (
    COLOURS,
    DASHES,
    PAGE,
    arranged,
    blank,
    legend_above,
    style,
    whole_numbers,
)
from mini_exp.study.variant_replicates import VariantReplicates


def jump(replicates: Sequence[VariantReplicates]) -> Figure:
    """The jump of Figure 1 over many replicates.

    Left: histogram of the ρ from which on all widths are full; dash-dotted: the thesis's. Right:
    share of replicates with full widths at every ρ, with Wilson's interval as a band.
    """
    published = [own for own in replicates if own.settings.width.solver == "published"]
    shown = published or replicates
    with style():
        figure, axes = blank(PAGE, 2.1 * len(shown) + 0.6, len(shown), 2)
        for (left, right), own in zip(axes, shown, strict=True):
            rho, step = own.rho, own.rho[1] - own.rho[0]
            jumps = own.rows["full_from"].dropna()
            left.hist(jumps, np.append(rho, rho[-1] + step) - step / 2, color=COLOURS[5])
            left.yaxis.set_major_locator(whole_numbers())
            left.set_title(f"{own.variant}: {len(jumps)} of {len(own.rows)} replicates jump")
            left.set_xlabel(r"smallest $\rho$ from which all widths are full")
            left.set_ylabel("replicates")
            _share_lines(right, own)
            right.set_title(own.variant)
            right.set_xlabel(r"$\rho$")
            right.set_ylabel("share of replicates")
            for ax in (left, right):
                ax.set_xlim(rho[0] - step, rho[-1] + step)
                if _has_the_thesis_s_jump(own):
                    label = rf"thesis: full widths past $\rho \approx {thesis.JUMP:g}$"
                    ax.axvline(thesis.JUMP, color="black", linestyle=DASHES[2], lw=1, label=label)
        height = legend_above(figure, *axes[:, 1])
        arranged(figure, top=height + 0.2, across=0.65, down=0.75)
    return figure


def _share_lines(ax: Axes, own: VariantReplicates) -> None:
    """Shares at every ρ, with their intervals."""
    lines = {
        "all widths full": own.all_full("widths"),
        "solver at its start": own.sweep("at_start") == 1,
        "exact solver: all widths full": own.all_full("exact_widths"),
    }
    for i, (label, which) in enumerate(lines.items()):
        shares = [own.share(at_rho) for at_rho in which.T]
        estimates = [share.estimate for share in shares]
        ax.plot(own.rho, estimates, color=COLOURS[i], linestyle=DASHES[i], label=label)
        low, high = [share.low for share in shares], [share.high for share in shares]
        ax.fill_between(own.rho, low, high, color=COLOURS[i], alpha=0.2, linewidth=0)
    ax.set_ylim(bottom=-0.03 * ax.get_ylim()[1])  # a share of 0 is seen


def _has_the_thesis_s_jump(own: VariantReplicates) -> bool:
    """Figure 1's caption speaks of it, Figure 2's does not."""
    rho = own.settings.width.rho
    same = own.has_the_thesis_s_layers and not own.settings.model.bias
    return same and (rho.start, rho.stop) == thesis.RHO
