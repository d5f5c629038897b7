"""Figures of an experiment on images."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mini_exp.report.figures import COLOURS, blank, style
from mini_exp.spectral.degrees_of_freedom import degrees_of_freedom, numerical_spectrum
from mini_exp.types import ImageHistory, ImageMoments


def dof_figure(found: ImageMoments) -> Figure:
    """N(λ) over λ, of whole layers and of channels; dashed: the number of images, N's limit."""
    flattened = bool(found.flattened)
    with style():
        figure, axes = blank(6.4, 3.2, 1, 1 + flattened)
        panels = {"channels": found.eigenvalues}
        if flattened:
            panels = {"whole layers": found.flattened, **panels}
        for ax, (title, spectra) in zip(axes[0], panels.items(), strict=True):
            largest = max(float(values.max()) for values in spectra.values())
            lambdas = largest * np.logspace(-9, 1, 121)
            for i, (group, values) in enumerate(spectra.items()):
                dof = degrees_of_freedom(numerical_spectrum(values), lambdas)
                units = found.n_units[group] if spectra is found.flattened else len(values)
                ax.plot(lambdas, dof, color=COLOURS[i % 6], label=f"{group} ({units})")
            if spectra is found.flattened:
                n = found.n_images
                ax.axhline(n, color="0.4", linestyle="--", linewidth=0.9)
                ax.text(lambdas[-1], n, f"n = {n} images ", ha="right", va="bottom")
            ax.set_xscale("log")
            ax.set_yscale("log")
            ax.set_ylim(bottom=0.1)
            ax.set_xlabel(r"$\lambda$  (units of $\Sigma$)")
            ax.set_title(title, pad=14)
            if len(spectra) <= 6:
                ax.legend(loc="lower left", title="layer (units)", title_fontsize=8)
        axes[0, 0].set_ylabel(r"degrees of freedom $N(\lambda)$")
        figure.subplots_adjust(left=0.1, right=0.98, top=0.86, bottom=0.16, wspace=0.25)
    return figure


def history_figure(original: ImageHistory, finetuned: ImageHistory) -> Figure:
    """Loss and validation accuracy after every epoch, training and then fine-tuning."""
    with style():
        figure, axes = blank(6.4, 2.8, 1, 2)
        start = 0
        for i, (label, history) in enumerate(
            (("original", original), ("compressed, fine-tuned", finetuned))
        ):
            epochs = start + np.arange(1, len(history.loss) + 1)
            start = int(epochs[-1])
            axes[0, 0].plot(epochs, history.loss, "--", color=COLOURS[i], linewidth=0.9)
            axes[0, 0].plot(epochs, history.validation_loss, ".-", color=COLOURS[i], label=label)
            axes[0, 1].plot(epochs, history.validation_accuracy, ".-", color=COLOURS[i])
        axes[0, 0].plot([], [], "--", color="0.3", linewidth=0.9, label="training (with dropout)")
        axes[0, 0].set_ylabel("cross-entropy (nats)")
        axes[0, 1].set_ylabel("validation accuracy")
        axes[0, 0].legend(loc="upper right")
        for ax in axes[0]:
            ax.set_xlabel("epoch")
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        figure.subplots_adjust(left=0.09, right=0.98, top=0.95, bottom=0.18, wspace=0.25)
    return figure
