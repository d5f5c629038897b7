"""Second moments as heat maps, Figures 5, 6 and 7 of the thesis, and what their spectra say."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from mini_exp.pruning.flattened import CalibrationMoments
from mini_exp.report.drawing import (
    COLOURS,
    COLUMN,
    DASHES,
    PAGE,
    arranged,
    blank,
    legend_above,
    style,
)
from mini_exp.spectral.degrees_of_freedom import degrees_of_freedom, numerical_spectrum


def second_moment_figure(moments: CalibrationMoments, layer: int, scale: str) -> Figure:
    """Figures 5, 6 and 7: the second moment of hidden layer ``layer`` (0-based) as a heat map.

    All layers of a network share the colours' scale.
    """
    with style():
        figure, axes = blank(COLUMN, 2.6, 1, 1)
        arranged(figure, left=0.55, right=0.85, top=0.25)
        ax = axes[0, 0]
        matrices = list(moments.groups.sigma.values())
        sigma = matrices[layer]
        m = len(sigma)
        # ReLU outputs are not negative, so neither is Σ: a sequential map from 0. A few units have
        # most of the second moment; on a linear scale all others would look like 0.
        largest = max(matrix.max() for matrix in matrices)
        image = ax.imshow(
            sigma,
            norm=PowerNorm(0.5, vmin=0, vmax=largest or 1.0),
            extent=(0.5, m + 0.5, m + 0.5, 0.5),
            interpolation="nearest",
        )
        ax.grid(visible=False)
        ticks = np.arange(1, m + 1, -(-m // 7))
        ax.set_xticks(ticks)
        ax.set_yticks(ticks)
        ax.set_xlabel(f"unit of layer {layer + 1}")
        ax.set_ylabel(f"unit of layer {layer + 1}")
        what = rf"$\hat\Sigma_{{ij}}$ ({scale} over {moments.n_samples} samples)"
        bar = figure.colorbar(image, ax=ax, fraction=0.06, pad=0.04)
        bar.set_label(f"{what}\nsquare-root scale of colours")
    return figure


def degrees_of_freedom_figure(moments: CalibrationMoments) -> Figure:
    """N(λ) over λ, of whole layers and of channels; dotted: the number of images, N's limit."""
    channels, flattened = moments.groups.eigenvalues, moments.flattened
    panels = (
        {"whole layers": flattened, "channels": channels} if flattened else {"channels": channels}
    )
    with style():
        figure, axes = blank(PAGE, 3.1 + 0.1 * (len(channels) // 3), 1, len(panels))
        for ax, (title, spectra) in zip(axes[0], panels.items(), strict=True):
            largest = max(float(values.max()) for values in spectra.values())
            lambdas = largest * np.logspace(-9, 1, 121)
            for i, (group, values) in enumerate(spectra.items()):
                units = f"{moments.n_units[group]:,} units, " if flattened else ""
                ax.plot(
                    lambdas,
                    degrees_of_freedom(numerical_spectrum(values), lambdas),
                    color=COLOURS[i % 6],
                    linestyle=DASHES[(i + i // 6) % 6],
                    label=f"{group} ({units}{len(channels[group])} channels)",
                )
            if spectra is flattened:
                n = moments.n_samples
                label = f"images ($n = {n}$)"
                ax.axhline(n, color="0.4", linestyle=":", linewidth=0.9, label=label)
            ax.set_xscale("log")
            ax.set_yscale("log")
            ax.set_ylim(bottom=0.1)
            ax.set_xlabel(r"$\lambda$ (units of $\hat\Sigma$)")
            ax.set_title(title)
        axes[0, 0].set_ylabel(r"degrees of freedom $N(\lambda)$")
        height = legend_above(figure, *axes[0])
        arranged(figure, top=height + 0.2, across=0.5)
    return figure
