"""PyTorch's attention with fewer heads: its inner width is no longer that of what it reads."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from mini_exp.pruning.operations.attention import multi_head_attention


class NarrowAttention(nn.MultiheadAttention):
    """``nn.MultiheadAttention`` whose heads have another total width than its input.

    PyTorch's own forward takes both for one number. Made from one by ``narrowed``.
    """

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        given: list[Any] = [query, key, value]
        if self.batch_first and query.ndim == 3:
            moved = {id(x): x.transpose(0, 1) for x in given}
            given = [moved[id(x)] for x in given]
        result, shares = multi_head_attention(
            given[0],
            given[1],
            given[2],
            self.embed_dim,
            self.num_heads,
            self.in_proj_weight,
            self.in_proj_bias,
            self.bias_k,
            self.bias_v,
            self.add_zero_attn,
            self.dropout,
            self.out_proj.weight,
            self.out_proj.bias,
            self.training,
            key_padding_mask,
            need_weights,
            attn_mask,
            self.in_proj_weight is None,
            self.q_proj_weight,
            self.k_proj_weight,
            self.v_proj_weight,
            average_attn_weights=average_attn_weights,
            is_causal=is_causal,
        )
        if self.batch_first and query.ndim == 3:
            result = result.transpose(0, 1)
        return result, shares


def narrow(module: nn.MultiheadAttention) -> None:
    """Let a module whose heads have been removed run as it is now."""
    module.__class__ = NarrowAttention
    module._qkv_same_embed_dim = False  # keeps encoder layers from their fused kernel
