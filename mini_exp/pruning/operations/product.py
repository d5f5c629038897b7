"""Linear layers, matrix products and einsum: sums over products of elements."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_letters

import numpy as np
import torch
from torch import Tensor

from mini_exp.pruning.calls import Call
from mini_exp.pruning.labels import Factors, Operand, array, axes_of, joined, reduced
from mini_exp.pruning.propagation import Contraction, Propagation
from mini_exp.spectral import Integers


def linear(run: Propagation, call: Call) -> None:
    """x Wᵀ + b: columns of the weight read, rows write."""
    x, weight, bias = call.bound("input", "weight", "bias")
    lead = ascii_letters[2 : x.ndim + 1]
    row = "b" if weight.ndim > 1 else ""
    factors = contract(run, call, [x, weight], [lead + "a", row + "a"], lead + row)
    run.label(call.result, with_bias(run, factors, call.result, bias))


def matrix_product(run: Propagation, call: Call) -> None:
    """a b, summed over the last axis of a and the second last of b."""
    first, second = [*call.args, *call.kwargs.values()][:2]
    if call.function is torch.Tensor.__rmatmul__:
        first, second = second, first
    run.label(call.result, _product(run, call, first, second))


def added_product(run: Propagation, call: Call) -> None:
    """c + a b."""
    third, first, second = call.args[:3]
    factors = _product(run, call, first, second)
    run.label(call.result, with_bias(run, factors, call.result, third))


def einsum(run: Propagation, call: Call) -> None:
    """Sums over the letters that the result does not have."""
    equation, *rest = call.args
    tensors = list(rest[0]) if isinstance(rest[0], list | tuple) else rest
    if not isinstance(equation, str):
        run.let_stay([x for x in call.args if isinstance(x, Tensor)], "einsum without letters")
        return
    terms, out = _letters(equation, [x.ndim for x in tensors])
    if any(len(set(term)) < len(term) for term in terms):
        run.let_stay(tensors, "einsum along a diagonal")
        return
    run.label(call.result, contract(run, call, tensors, terms, out))


def contract(
    run: Propagation, call: Call, tensors: Sequence[Tensor], terms: Sequence[str], out: str
) -> Factors:
    """Factors of an einsum; the use of a weight is noted.

    What meets is tied. Of a sum over some letters, a label that depends on others as well leaves
    one that vanishes with all that were summed.
    """
    letters = out + "".join(sorted(set("".join(terms)) - set(out)))
    summed = range(len(out), len(letters))
    operands = [
        _spread(run.operand(x), term, letters) for x, term in zip(tensors, terms, strict=True)
    ]
    if len(tensors) == 2:
        for x, weight in ((0, 1), (1, 0)):
            if run.is_weight(tensors[weight]) and not run.is_weight(tensors[x]):
                _read(run, operands[x], operands[weight], summed)
                _note(run, call, (tensors[x], terms[x]), (tensors[weight], terms[weight]), out)
    reason = run.reason(f"{call.name} with a tensor that has no channels")
    results = []
    for factor in joined(run.constraints, operands, reason):
        own = [axis for axis in axes_of(factor) if axis in summed]
        dot = all(
            any(set(own) & set(axes_of(one)) for one in operand.factors) for operand in operands
        )
        left = reduced(
            run.constraints, factor, own, None if dot else run.reason(f"{call.name} over channels")
        )
        if own and dot and not any(run.is_weight(x) for x in tensors):
            run.constraints.dots.append(array(factor).ravel())
        if own and dot and left.numel() > 1:
            run.constraints.heads += [array(factor).ravel(), array(left).ravel()]
        results.append(left.reshape(left.shape[: len(out)]))
    return tuple(results)


def with_bias(run: Propagation, factors: Factors, result: Tensor, bias: Tensor | None) -> Factors:
    """The factors of a result to which a bias along its last axes is added."""
    if bias is None or bias.numel() == 1:
        return factors
    run.constraints.biases += [
        (array(factor.ravel()), array(own.ravel()))
        for factor in factors
        for own in run.factors(bias)
        if factor.shape[factor.ndim - own.ndim :] == own.shape and factor.numel() == own.numel()
    ]
    operands = [Operand(factors, tuple(result.shape)), run.operand(bias)]
    return joined(run.constraints, operands, run.reason("a bias that has no channels"))


def _product(run: Propagation, call: Call, first: Tensor, second: Tensor) -> Factors:
    n_lead = max(first.ndim, second.ndim) - 2
    lead = ascii_letters[3 : 3 + max(n_lead, 0)]
    left = "b" if first.ndim == 1 else lead[len(lead) - first.ndim + 2 :] + "ab"
    right = "b" if second.ndim == 1 else lead[len(lead) - second.ndim + 2 :] + "bc"
    out = lead + ("a" if first.ndim > 1 else "") + ("c" if second.ndim > 1 else "")
    return contract(run, call, [first, second], [left, right], out)


def _spread(operand: Operand, term: str, letters: str) -> Operand:
    """An operand with an axis for every letter."""
    order = [term.index(letter) for letter in letters if letter in term]
    present = [letter in term for letter in letters]

    def shape(sizes: Sequence[int]) -> tuple[int, ...]:
        left = iter([sizes[i] for i in order])
        return tuple(next(left) if here else 1 for here in present)

    factors = tuple(one.permute(order).reshape(shape(one.shape)) for one in operand.factors)
    return Operand(factors, shape(operand.shape))


def _read(run: Propagation, x: Operand, weight: Operand, summed: Sequence[int]) -> None:
    """A weight reads the same channel wherever it stands: these are tied."""
    for column in weight.factors:
        if len(axes_of(column)) == 1 and axes_of(column)[0] in summed:
            axis = axes_of(column)[0]
            for factor in x.factors:
                if factor.shape[axis] > 1:
                    lines = array(factor.movedim(axis, -1).reshape(-1, factor.shape[axis]))
                    run.constraints.tie(lines, array(column.ravel()))
                    run.constraints.read(array(column))


def _note(
    run: Propagation, call: Call, given: tuple[Tensor, str], used: tuple[Tensor, str], out: str
) -> None:
    """Remember the use of a weight that is summed over one letter."""
    (x, x_term), (weight, term) = given, used
    summed = [letter for letter in term if letter not in out]
    rows = [letter for letter in term if letter in out and letter not in x_term]
    if len(summed) != 1 or len(rows) != 1:
        return
    columns = _along(run, weight, term.index(summed[0]))
    written = _along(run, weight, term.index(rows[0]))
    channels = channels_along(run, x, x_term.index(summed[0]))
    only = run.single(x)
    if only is not None and columns is not None and len(columns) == 1:
        run.constraints.tie(only, columns)
        run.constraints.read(columns)
        channels = only
    run.set_single(call.result, written)
    uses = [x.shape[x_term.index(letter)] for letter in x_term if letter not in term]
    run.contractions.append(
        Contraction(
            run.use(call, x, x_term.index(summed[0]) - x.ndim, weight),
            columns=columns,
            rows=written,
            channels=channels,
            positions=max(int(np.prod(uses)) // run.n_samples, 1),
            n_rows=weight.shape[term.index(rows[0])],
        )
    )


def channels_along(run: Propagation, x: Tensor, axis: int) -> Integers:
    """Labels of a tensor's first line along an axis, 0 where it has no channel."""
    for factor in run.factors(x):
        if factor.shape[axis] > 1:
            return array(factor.movedim(axis, -1).reshape(-1, factor.shape[axis])[0])
    return np.zeros(x.shape[axis], dtype=np.int64)


def _along(run: Propagation, weight: Tensor, axis: int) -> Integers | None:
    """Labels of a weight along an axis, if they depend on it alone."""
    for factor in run.factors(weight):
        if axes_of(factor) == (axis,):
            return array(factor.ravel())
    return run.label_of_axis(weight, axis) if weight.shape[axis] == 1 else None


def _letters(equation: str, n_axes: Sequence[int]) -> tuple[list[str], str]:
    """The terms and the result of an equation, an ellipsis written out."""
    given, arrow, out = equation.replace(" ", "").partition("->")
    terms = given.split(",")
    if not arrow:
        counted = given.replace(",", "").replace(".", "")
        single = sorted(letter for letter in set(counted) if counted.count(letter) == 1)
        out = ("..." if "..." in given else "") + "".join(single)
    free = [letter for letter in reversed(ascii_letters) if letter not in equation]
    longest = 0
    for i, term in enumerate(terms):
        if "..." in term:
            n = n_axes[i] - len(term) + 3
            longest = max(longest, n)
            terms[i] = term.replace("...", "".join(free[:n][::-1]))
    return terms, out.replace("...", "".join(free[:longest][::-1]))


RULES = {
    "linear": linear,
    **dict.fromkeys(("matmul", "mm", "bmm", "mv", "dot", "linalg_matmul"), matrix_product),
    **dict.fromkeys(("addmm", "baddbmm", "addmv"), added_product),
    "einsum": einsum,
}
