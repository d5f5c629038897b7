"""Attention and embeddings."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from mini_exp.pruning.calls import Call
from mini_exp.pruning.labels import Operand, axes_of, joined, lines_along, stay_along
from mini_exp.pruning.operations.product import contract
from mini_exp.pruning.propagation import Propagation


def attend(run: Propagation, call: Call) -> None:
    """softmax(q kᵀ + mask) v, head by head."""
    query, key, value, mask, _, _, scale, grouped = call.bound(
        "query", "key", "value", "attn_mask", "dropout_p", "is_causal", "scale", "enable_gqa"
    )
    if scale is None:
        for factor in run.factors(query):
            if factor.shape[-1] > 1:
                run.constraints.scaled.append(lines_along(factor, [query.ndim - 1])[0])
    if grouped and key.ndim >= 3:
        key, value = (_repeated(run, x, query.shape[-3]) for x in (key, value))
    lead = "efgh"[: query.ndim - 2]
    scores = contract(run, call, [query, key], [lead + "ad", lead + "bd"], lead + "ab")
    shape = (*query.shape[:-1], key.shape[-2])
    operands = [Operand(scores, shape)]
    if mask is not None and mask.ndim:
        operands.append(run.operand(mask))
    weights = torch.empty(1).expand(shape)
    run.label(weights, joined(run.constraints, operands, run.reason("an attention mask")))
    for factor in run.factors(weights):
        if factor.shape[-1] > 1 or factor.shape[-2] > 1:
            stay_along(run.constraints, factor, range(factor.ndim), run.reason("attention"))
    run.label(
        call.result,
        contract(run, call, [weights, value], [lead + "ab", lead + "bd"], lead + "ad"),
    )


def _repeated(run: Propagation, x: Tensor, n_heads: int) -> Tensor:
    """Keys or values of as many heads as there are queries: each serves several in a row."""
    times = n_heads // x.shape[-3]
    result = x.repeat_interleave(times, dim=-3)
    factors = [
        factor.repeat_interleave(times, dim=-3) if factor.shape[-3] > 1 else factor
        for factor in run.factors(x)
    ]
    run.label(result, factors)
    return result


def embed(run: Propagation, call: Call) -> None:
    """Rows of a table by number: the rows stay, the columns are channels."""
    table = call.bound("input", "weight")[1]
    if not isinstance(table, Tensor) or table.ndim != 2:
        run.let_stay([x for x in call.args if isinstance(x, Tensor)], call.name)
        return
    results = []
    for factor in run.factors(table):
        if axes_of(factor) == (1,):
            lead = (1,) * (call.result.ndim - 1)
            results.append(factor.reshape(*lead, -1))
        else:
            stay_along(run.constraints, factor, [0], run.reason("an embedding"))
    run.label(call.result, results)


def multi_head_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """What ``torch.nn.functional.multi_head_attention_forward`` computes, in functions with rules.

    Dimensions are (positions, samples, features), as there; the number of features of a head
    is what the weights give.
    """
    batched = query.ndim == 3
    if not batched:
        query, key, value = (x.unsqueeze(1) for x in (query, key, value))
    if use_separate_proj_weight:
        weights: Any = (q_proj_weight, k_proj_weight, v_proj_weight)
    elif query is key and key is value:
        weights = None
    else:
        weights = in_proj_weight.chunk(3)  # type: ignore[union-attr]
    if weights is None:
        packed: Any = in_proj_weight
        q, k, v = functional.linear(query, packed, in_proj_bias).chunk(3, dim=-1)
    else:
        biases: Any = (None,) * 3 if in_proj_bias is None else in_proj_bias.chunk(3)
        q, k, v = (
            functional.linear(x, weight, bias)
            for x, weight, bias in zip((query, key, value), weights, biases, strict=True)
        )
    if bias_k is not None and bias_v is not None:
        k = torch.cat([k, bias_k.expand(1, k.shape[1], -1)])
        v = torch.cat([v, bias_v.expand(1, v.shape[1], -1)])
    q, k, v = (x.unflatten(-1, (num_heads, -1)).permute(1, 2, 0, 3) for x in (q, k, v))
    if add_zero_attn:
        k, v = (torch.cat([x, torch.zeros_like(x[:, :, :1])], dim=2) for x in (k, v))
    mask = _mask(attn_mask, key_padding_mask, num_heads, q, k)
    attended = functional.scaled_dot_product_attention(q, k, v, mask, dropout_p * training)
    attended = attended.permute(2, 0, 1, 3).flatten(2)
    result = functional.linear(attended, out_proj_weight, out_proj_bias)
    shares = None
    if need_weights:
        scores = (q @ k.mT) * q.shape[-1] ** -0.5
        shares = (scores if mask is None else scores + mask).softmax(-1)
        shares = shares.mean(1) if average_attn_weights else shares
    if not batched:
        result = result.squeeze(1)
        shares = None if shares is None else shares.squeeze(0)
    return result, shares


def _mask(
    mask: Tensor | None, padding: Tensor | None, n_heads: int, query: Tensor, key: Tensor
) -> Tensor | None:
    """Both masks as one that is added to the scores, (samples, heads, queries, keys)."""
    total = None
    n_missing = key.shape[2] - (0 if mask is None else mask.shape[-1])
    if mask is not None:
        mask = functional.pad(_added(mask, query.dtype), (0, n_missing))
        total = mask.unflatten(0, (-1, n_heads)) if mask.ndim == 3 else mask
    if padding is not None:
        padding = padding.reshape(query.shape[0], 1, 1, -1)
        padding = functional.pad(
            _added(padding, query.dtype), (0, key.shape[2] - padding.shape[-1])
        )
        total = padding if total is None else total + padding
    return total


def _added(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """A mask as numbers to add: −∞ where a bool says that a key is left out."""
    if mask.dtype != torch.bool:
        return mask.to(dtype)
    return torch.zeros_like(mask, dtype=dtype).masked_fill(mask, float("-inf"))


RULES: dict[str, Any] = {
    "scaled_dot_product_attention": attend,
    "embedding": embed,
}
COMPOSITES: dict[str, Any] = {"multi_head_attention_forward": multi_head_attention}
