"""How tables and figures name widths and methods; rows hold columns, and no label is read back."""

from __future__ import annotations

import math

TITLES = {
    "pruned": "right after pruning",
    "recovered": "recovered",
    "finetuned": "fine-tuned",
}
"""Stages in words, in order."""


def widths_label(rule: str, share: float, exact: bool) -> str:
    """A row's columns ``rule``, ``share`` and ``exact``.

    Examples
    --------
    >>> widths_label("keep", 0.75, False), widths_label("flops", 0.25, True)
    ('keep 0.75', 'flops 0.25, best')
    """
    if rule == "all":
        return rule
    if rule == "keep":
        return budget_label(rule, share)
    return f"{budget_label(rule, share)}, {'best' if exact else 'uniform'}"


def budget_label(rule: str, share: float) -> str:
    """A row's columns ``rule`` and ``share``."""
    return f"{rule} {share:g}"


def method_label(method: str, theta: float | None, weights: str = "") -> str:
    """A row's columns ``method``, ``theta`` and, if wanted, ``weights``.

    Examples
    --------
    >>> method_label("spectral", 0.5, "slice"), method_label("random", None)
    ('spectral θ=0.5, slice', 'random')
    """
    name = method if theta is None or math.isnan(theta) else f"{method} θ={theta:g}"
    return f"{name}, {weights}" if weights else name
