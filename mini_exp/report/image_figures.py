"""Figures of an experiment on images. The thesis has none."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mini_exp.report.figures import (
    COLOURS,
    DASHES,
    MARKERS,
    PAGE,
    arranged,
    blank,
    legend_above,
    style,
)
from mini_exp.spectral.degrees_of_freedom import degrees_of_freedom, numerical_spectrum
from mini_exp.types import ImageHistory, ImageMoments


def dof_figure(found: ImageMoments) -> Figure:
    """N(λ) over λ, of whole layers and of channels; dotted: the number of images, N's limit."""
    flattened = bool(found.flattened)
    with style():
        figure, axes = blank(PAGE, 3.1 + 0.1 * (len(found.eigenvalues) // 3), 1, 1 + flattened)
        panels = {"channels": found.eigenvalues}
        if flattened:
            panels = {"whole layers": found.flattened, **panels}
        for ax, (title, spectra) in zip(axes[0], panels.items(), strict=True):
            largest = max(float(values.max()) for values in spectra.values())
            lambdas = largest * np.logspace(-9, 1, 121)
            for i, (group, values) in enumerate(spectra.items()):
                dof = degrees_of_freedom(numerical_spectrum(values), lambdas)
                channels = len(found.eigenvalues[group])
                units = f"{found.n_units[group]:,} units, " if flattened else ""
                ax.plot(
                    *(lambdas, dof),
                    color=COLOURS[i % 6],
                    linestyle=DASHES[(i + i // 6) % 6],
                    label=f"{group} ({units}{channels} channels)",
                )
            if spectra is found.flattened:
                label = f"images ($n = {found.n_images}$)"
                ax.axhline(found.n_images, color="0.4", linestyle=":", linewidth=0.9, label=label)
            ax.set_xscale("log")
            ax.set_yscale("log")
            ax.set_ylim(bottom=0.1)
            ax.set_xlabel(r"$\lambda$ (units of $\hat\Sigma$)")
            ax.set_title(title)
        axes[0, 0].set_ylabel(r"degrees of freedom $N(\lambda)$")
        height = legend_above(figure, *axes[0])
        arranged(figure, top=height + 0.2, across=0.5)
    return figure


def history_figure(original: ImageHistory, finetuned: ImageHistory) -> Figure:
    """Loss and validation accuracy after every epoch, training and then fine-tuning.

    Filled markers: validation images. Hollow: training batches as they came, with dropout.
    """
    with style():
        figure, axes = blank(PAGE, 2.8, 1, 2)
        start = 0
        for i, (label, history) in enumerate(
            (("original", original), ("compressed, fine-tuned", finetuned))
        ):
            epochs = start + np.arange(1, len(history.loss) + 1)
            start = int(epochs[-1])
            like = {"color": COLOURS[i], "marker": MARKERS[i], "markersize": 3}
            hollow = {**like, "markerfacecolor": "none", "linestyle": DASHES[1], "linewidth": 0.9}
            validation, training = f"{label}, validation", f"{label}, training"
            axes[0, 0].plot(epochs, history.validation_loss, **like, label=validation)
            axes[0, 0].plot(epochs, history.loss, **hollow, label=training)
            axes[0, 1].plot(epochs, 100 * history.validation_accuracy, **like)
        axes[0, 0].set_ylabel("cross-entropy (nats)")
        axes[0, 1].set_ylabel("validation accuracy (%)")
        for ax in axes[0]:
            ax.set_xlabel("epoch")
            ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        arranged(figure, top=legend_above(figure, axes[0, 0]), across=0.65)
    return figure
