"""Predictors that are no network: what a claim about networks has to beat."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.special import xlog1py, xlogy
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from mini_exp.spectral import Floats


def baseline_scores(data: Mapping[str, tuple[Floats, Floats]]) -> dict[str, Floats]:
    """Scores of the constant predictor, logistic regression and a support vector machine.

    Parameters
    ----------
    data : mapping from split to (x, y)
        x (R, n, d), y (R, n); ``train`` fits, all are scored; R may be 1 for the population.

    Returns
    -------
    dict of (R,) float64
        ``<baseline>_<split>_<measure>``: ``constant`` always answers the training set's share of
        ones; ``logistic`` (L2-regularised, C = 1) and ``svm`` (RBF kernel, C = 1) come with ``_x``
        on the features and with ``_mean`` on X̄, the feature that decides the label. All settings
        are scikit-learn's defaults. A support vector machine has no probabilities, so no loss.
    """
    x_train, y_train = data["train"]
    columns: dict[str, Floats] = {}
    share = y_train.mean(axis=1)
    for split, (_, y) in data.items():
        ones = np.broadcast_to(y.mean(axis=1), share.shape)
        columns[f"constant_{split}_loss"] = _cross_entropy(ones, share)
        columns[f"constant_{split}_accuracy"] = np.where(share > 0.5, ones, 1 - ones)
    for name, feature in (("x", _all_features), ("mean", _mean_feature)):
        for split in data:
            for measure in ("logistic_{}_{}_loss", "logistic_{}_{}_accuracy", "svm_{}_{}_accuracy"):
                columns[measure.format(name, split)] = np.full(len(share), np.nan)
        for r in range(len(share)):
            if share[r] in (0.0, 1.0):  # one class only: nothing to fit
                continue
            fitted = feature(x_train[r])
            logistic = LogisticRegression().fit(fitted, y_train[r])
            svm = SVC().fit(fitted, y_train[r])
            for split, (x, y) in data.items():
                inputs, labels = feature(x[r % len(x)]), y[r % len(y)]
                probability = logistic.predict_proba(inputs)[:, 1]
                columns[f"logistic_{name}_{split}_loss"][r] = _log_loss(labels, probability)
                columns[f"logistic_{name}_{split}_accuracy"][r] = np.mean(
                    (probability > 0.5) == labels
                )
                columns[f"svm_{name}_{split}_accuracy"][r] = np.mean(svm.predict(inputs) == labels)
    return columns


def _all_features(x: Floats) -> Floats:
    return x


def _mean_feature(x: Floats) -> Floats:
    return np.asarray(x.mean(axis=-1, keepdims=True))


def _cross_entropy(ones: Floats, share: Floats) -> Floats:
    """Loss of always answering ``share`` where the labels have a share ``ones`` of ones."""
    return np.asarray(-xlogy(ones, share) - xlog1py(1 - ones, -share))  # 0 log 0 = 0


def _log_loss(labels: Floats, probability: Floats) -> float:
    return float(-np.mean(np.log(np.where(labels > 0.5, probability, 1 - probability))))
