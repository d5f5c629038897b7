"""Scores after every epoch: Figure 4 of the thesis, and training with fine-tuning after it."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from mini_exp.report.drawing import (
    COLOURS,
    COLUMN,
    DASHES,
    MARKERS,
    PAGE,
    arranged,
    blank,
    dots,
    legend_above,
    style,
    whole_numbers,
)
from mini_exp.tasks.task import History


def loss_figure(history: History, thesis_loss: float | None = None) -> Figure:
    """Figure 4: training loss after every epoch, with the test loss.

    Star, if given: the thesis's test loss after its last epoch, which is taken to be the last one.
    """
    with style():
        figure, axes = blank(COLUMN, 2.7, 1, 1)
        ax = axes[0, 0]
        n_epochs = len(history["loss"])
        epoch = np.arange(1, n_epochs + 1)
        for label, values, colour, dashes in (
            ("training loss", history["loss"], COLOURS[0], DASHES[0]),
            ("test loss", history["test_loss"], COLOURS[1], DASHES[1]),
        ):
            marker = dots(n_epochs)
            ax.plot(epoch, values, color=colour, linestyle=dashes, marker=marker, label=label)
        ax.axhline(np.log(2), color="0.4", linestyle=DASHES[3], label=r"always ½: $\ln 2$")
        if thesis_loss is not None:
            ax.plot(
                n_epochs,
                thesis_loss,
                "*",
                color="black",
                markersize=8,
                clip_on=False,
                label=f"thesis: test loss {thesis_loss:.2f}",
            )
        ax.set_xlabel("epoch")
        ax.xaxis.set_major_locator(whole_numbers())
        ax.set_ylabel("binary cross-entropy (nats)")
        ax.set_ylim(bottom=0)
        height = legend_above(figure, ax)
        arranged(figure, left=0.6, top=height, right=0.15)
    return figure


def history_figure(original: History, finetuned: History) -> Figure:
    """Loss and, of classes, validation accuracy after every epoch, training, then fine-tuning.

    Filled markers: validation samples. Hollow: training batches as they came, with dropout.
    """
    of_classes = "validation_accuracy" in original
    with style():
        figure, axes = blank(PAGE, 2.8, 1, 2 if of_classes else 1)
        start = 0
        histories = {"original": original, "compressed, fine-tuned": finetuned}
        for i, (label, history) in enumerate(histories.items()):
            epochs = start + np.arange(1, len(history["loss"]) + 1)
            start += len(epochs)
            if not len(epochs):
                continue
            like = {"color": COLOURS[i], "marker": MARKERS[i], "markersize": 3}
            hollow = {**like, "markerfacecolor": "none", "linestyle": DASHES[1], "linewidth": 0.9}
            validation, training = f"{label}, validation", f"{label}, training"
            axes[0, 0].plot(epochs, history["validation_loss"], **like, label=validation)
            axes[0, 0].plot(epochs, history["loss"], **hollow, label=training)
            if of_classes:
                axes[0, 1].plot(epochs, 100 * history["validation_accuracy"], **like)
        axes[0, 0].set_ylabel("cross-entropy (nats)" if of_classes else "mean squared error")
        if of_classes:
            axes[0, 1].set_ylabel("validation accuracy (%)")
        for ax in axes[0]:
            ax.set_xlabel("epoch")
            ax.xaxis.set_major_locator(whole_numbers())
        arranged(figure, top=legend_above(figure, axes[0, 0]), across=0.65)
    return figure
