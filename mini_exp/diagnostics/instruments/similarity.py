"""How far the stages lie apart: CKA, SVCCA, the loss between them, drift of the tangent kernel."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mini_exp.diagnostics.instruments.representation_similarity import debiased_cka, svcca
from mini_exp.diagnostics.instruments.segments import barrier, segment_losses
from mini_exp.diagnostics.instruments.tangent_kernel import (
    kernel_drift,
    kernel_regression,
    tangent_kernel,
)
from mini_exp.diagnostics.rows import measured
from mini_exp.diagnostics.stages import Stages
from mini_exp.spectral import Floats

OVER_REPLICATES = True
POINTS = 21  # of a segment, the ends included
RIDGE = 1e-6  # of the kernel regression, relative to the kernel's mean diagonal


def measure(stages: Stages) -> pd.DataFrame:
    """Similarity to the original, stage by stage, on the test inputs.

    Rows: ``cka`` and ``svcca`` per hidden layer of the compressed and the fine-tuned networks with
    the original's; ``barrier`` of the loss from the original (t = 0) to the network with zeros for
    its removed units (1), in a run with ``loss between`` over t (``at``); ``kernel drift`` of the
    tangent kernel on the training inputs over the first training; ``kernel accuracy`` of regression
    with the kernel of the untrained network, beside ``network accuracy``.

    Notes
    -----
    A second for a run, 0.1 s per replicate.
    """
    return pd.concat(
        [*_representations(stages), *_segments(stages), *_kernels(stages)], ignore_index=True
    )


def _representations(stages: Stages) -> list[pd.DataFrame]:
    n = stages.data["test"][0].shape[-2]
    parts = []
    originals = stages.hidden_outputs("original", "test")
    for stage in ("compressed", "finetuned"):
        pairs = zip(originals, stages.hidden_outputs(stage, "test"), strict=True)
        for layer, (one, other) in enumerate(pairs, start=1):
            parts.append(measured(stage, "cka", debiased_cka(one, other), n, layer=layer))
            correlations = [svcca(a, b) for a, b in zip(one, other, strict=True)]
            parts.append(measured(stage, "svcca", correlations, n, layer=layer))
    return parts


def _segments(stages: Stages) -> list[pd.DataFrame]:
    x, y = stages.data["test"]
    n = x.shape[-2]
    parts = []
    for stage in ("compressed", "finetuned"):
        padded = stages.zero_padded(stage)
        losses = segment_losses(stages.networks["original"], padded, x, y, POINTS)
        if stages.n_replicates == 1:
            for t, loss in zip(np.linspace(0, 1, POINTS), losses, strict=True):
                parts.append(measured(stage, "loss between", loss, n, at=float(t)))
        parts.append(measured(stage, "barrier", barrier(losses), n))
    return parts


def _kernels(stages: Stages) -> list[pd.DataFrame]:
    x, y = stages.data["train"]
    tested, truth = stages.data["test"]
    start, trained = stages.untrained(), stages.networks["original"]
    kernel = tangent_kernel(start, x, x)
    drift = kernel_drift(kernel, tangent_kernel(trained, x, x))
    answers = kernel_regression(kernel, tangent_kernel(start, tested, x), y, RIDGE)
    n = x.shape[-2]
    return [
        measured("original", "kernel drift", drift, n),
        measured("original", "kernel accuracy", _accuracy(answers, truth), truth.shape[-1]),
        measured(
            "original",
            "network accuracy",
            _accuracy(stages.logits("original", "test"), truth),
            truth.shape[-1],
        ),
    ]


def _accuracy(answers: Floats, truth: Floats) -> Floats:
    return np.asarray(((answers > 0) == (truth > 0.5)).mean(-1))
