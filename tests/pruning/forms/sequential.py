"""Networks of sequences of the forms that are used, small: attention, gates, recurrence."""

import math

import torch
from torch import nn
from torch.nn import functional


class FusedAttention(nn.Module):
    """ViT: queries, keys and values of one linear layer."""

    def __init__(self, width, n_heads, fused=True):
        super().__init__()
        self.num_heads, self.head_dim, self.fused = n_heads, width // n_heads, fused
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        n, length, _ = x.shape
        qkv = self.qkv(x).reshape(n, length, 3, self.num_heads, self.head_dim)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        if self.fused:
            y = functional.scaled_dot_product_attention(q, k, v)
        else:
            y = (q * self.head_dim**-0.5 @ k.transpose(-2, -1)).softmax(-1) @ v
        return self.proj(y.transpose(1, 2).flatten(2))


class ViTBlock(nn.Module):
    def __init__(self, width, n_heads, fused=True):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = FusedAttention(width, n_heads, fused)
        self.fc1, self.fc2 = nn.Linear(width, 12), nn.Linear(12, width)
        self.gamma = nn.Parameter(torch.rand(width))

    def forward(self, x):
        x = x + self.gamma * self.attention(self.norm1(x))
        return x + self.fc2(functional.gelu(self.fc1(self.norm2(x))))


class ViT(nn.Module):
    """Patches, a class token, embeddings of positions."""

    def __init__(self, fused=True):
        super().__init__()
        self.patches = nn.Conv2d(2, 8, 4, 4)
        self.token, self.positions = (
            nn.Parameter(torch.rand(1, 1, 8)),
            nn.Parameter(torch.rand(5, 8)),
        )
        self.blocks = nn.Sequential(ViTBlock(8, 2, fused), ViTBlock(8, 2, fused))
        self.norm, self.head = nn.LayerNorm(8), nn.Linear(8, 3)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], dim=1) + self.positions
        return self.head(self.norm(self.blocks(x))[:, 0])


def rotated(x, cos, sin):
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin


class LlamaAttention(nn.Module):
    """Grouped queries, positions as rotations."""

    def __init__(self, width, n_heads, n_kv_heads):
        super().__init__()
        self.head_dim = width // n_heads
        self.q_proj = nn.Linear(width, width, bias=False)
        self.k_proj = nn.Linear(width, n_kv_heads * self.head_dim, bias=False)
        self.v_proj = nn.Linear(width, n_kv_heads * self.head_dim, bias=False)
        self.o_proj = nn.Linear(width, width, bias=False)

    def forward(self, x, cos, sin, mask):
        shape = (*x.shape[:-1], -1, self.head_dim)
        q, k, v = (
            layer(x).view(shape).transpose(1, 2)
            for layer in (self.q_proj, self.k_proj, self.v_proj)
        )
        q, k = rotated(q, cos, sin), rotated(k, cos, sin)
        y = functional.scaled_dot_product_attention(q, k, v, mask, enable_gqa=True)
        return self.o_proj(y.transpose(1, 2).reshape(*x.shape[:-1], -1))


class RootMeanSquareNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(width))

    def forward(self, x):
        return self.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)


class GatedMLP(nn.Module):
    def __init__(self, width, inner):
        super().__init__()
        self.gate_proj = nn.Linear(width, inner, bias=False)
        self.up_proj = nn.Linear(width, inner, bias=False)
        self.down_proj = nn.Linear(inner, width, bias=False)

    def forward(self, x):
        return self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))


class LlamaBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm1, self.norm2 = RootMeanSquareNorm(width), nn.RMSNorm(width)
        self.attention, self.mlp = LlamaAttention(width, 4, 2), GatedMLP(width, 10)

    def forward(self, x, *others):
        x = x + self.attention(self.norm1(x), *others)
        return x + self.mlp(self.norm2(x))


class LanguageModel(nn.Module):
    """Llama's form: the head is the embedding; a mapping of arguments, a mapping of outputs."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(11, 8)
        self.layers = nn.ModuleList([LlamaBlock(8), LlamaBlock(8)])
        self.norm, self.head = RootMeanSquareNorm(8), nn.Linear(8, 11, bias=False)
        self.head.weight = self.embedding.weight
        self.register_buffer("frequencies", torch.tensor([1.0]), persistent=False)

    def forward(self, input_ids, attention_mask=None, use_cache=False):
        length = input_ids.shape[1]
        angles = torch.outer(torch.arange(length).to(self.frequencies), self.frequencies)
        angles = torch.cat([angles, angles], dim=-1)
        mask = torch.ones(length, length, dtype=torch.bool).tril()
        if attention_mask is not None:
            mask = mask & attention_mask[:, None, None, :].bool() | torch.eye(length).bool()
        x = self.embedding(input_ids)
        for layer in self.layers:
            x = layer(x, angles.cos(), angles.sin(), mask)
        return {"logits": self.head(self.norm(x)), "cache": None if use_cache else ()}


class GPTBlock(nn.Module):
    """GPT-2's form: weights are (in, out), masked scores, a causal buffer."""

    def __init__(self, width, n_heads, length):
        super().__init__()
        self.num_heads, self.head_dim, self.split_size = n_heads, width // n_heads, width
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.c_attn, self.c_proj = Transposed(width, 3 * width), Transposed(width, width)
        self.c_fc, self.c_out = Transposed(width, 12), Transposed(12, width)
        self.register_buffer("causal", torch.ones(length, length).tril().bool()[None, None])

    def forward(self, x):
        n, length, _ = x.shape
        q, k, v = self.c_attn(self.norm1(x)).split(self.split_size, dim=2)
        q, k, v = (y.view(n, length, -1, self.head_dim).transpose(1, 2) for y in (q, k, v))
        scores = q @ k.transpose(-1, -2) / math.sqrt(v.size(-1))
        scores = torch.where(self.causal[:, :, :length, :length], scores, -1e9)
        y = (scores.softmax(-1) @ v).transpose(1, 2).reshape(n, length, -1)
        x = x + self.c_proj(y)
        return x + self.c_out(functional.gelu(self.c_fc(self.norm2(x)), approximate="tanh"))


class Transposed(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.nf, self.nx = n_out, n_in
        self.weight, self.bias = (
            nn.Parameter(torch.randn(n_in, n_out)),
            nn.Parameter(torch.ones(n_out)),
        )

    def forward(self, x):
        y = torch.addmm(self.bias, x.view(-1, x.size(-1)), self.weight)
        return y.view(*x.size()[:-1], self.nf)


class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(11, 8), nn.Embedding(6, 8)
        self.blocks, self.norm = (
            nn.Sequential(GPTBlock(8, 2, 6), GPTBlock(8, 2, 6)),
            nn.LayerNorm(8),
        )

    def forward(self, input_ids):
        x = self.wte(input_ids) + self.wpe(torch.arange(input_ids.shape[1]))
        return functional.linear(self.norm(self.blocks(x)), self.wte.weight)


class Translation(nn.Module):
    """PyTorch's own layers: an encoder and a decoder that looks at it."""

    def __init__(self, batch_first=True, norm_first=False):
        super().__init__()
        settings = {"batch_first": batch_first, "norm_first": norm_first, "dropout": 0.0}
        self.embedding = nn.Embedding(11, 8)
        layer = nn.TransformerEncoderLayer(8, 2, 12, **settings)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.decoder = nn.TransformerDecoderLayer(8, 2, 10, **settings)
        self.head = nn.Linear(8, 11)

    def forward(self, x):
        x = self.embedding(x)
        return self.head(self.decoder(x, self.encoder(x)))


class Recurrent(nn.Module):
    """Linear layers before and behind a recurrent one, which keeps its hidden units."""

    def __init__(self, kind, **settings):
        super().__init__()
        self.first = nn.Linear(6, 8)
        self.cell = kind(8, 5, batch_first=True, **settings)
        width = 5 * (2 if settings.get("bidirectional") else 1)
        self.second, self.out = nn.Linear(width, 7), nn.Linear(7, 3)

    def forward(self, x):
        y, _ = self.cell(torch.relu(self.first(x)))
        return self.out(torch.relu(self.second(y[:, -1])))


class Unrolled(nn.Module):
    """A cell in a loop."""

    def __init__(self, kind):
        super().__init__()
        self.first, self.cell, self.out = nn.Linear(6, 8), kind(8, 5), nn.Linear(5, 3)

    def forward(self, x):
        x, state = torch.relu(self.first(x)), None
        for step in x.unbind(1):
            state = self.cell(step, state)
        return self.out(state[0] if isinstance(state, tuple) else state)


class Einsum(nn.Module):
    """Attention and an MLP in einsum."""

    def __init__(self):
        super().__init__()
        self.query, self.key = (
            nn.Parameter(torch.randn(6, 2, 4)),
            nn.Parameter(torch.randn(6, 2, 4)),
        )
        self.value, self.mix = (
            nn.Parameter(torch.randn(6, 2, 4)),
            nn.Parameter(torch.randn(2, 4, 8)),
        )
        self.up, self.down = nn.Parameter(torch.randn(8, 12)), nn.Parameter(torch.randn(12, 3))

    def forward(self, x):
        q, k, v = (torch.einsum("nld,dhk->nhlk", x, w) for w in (self.query, self.key, self.value))
        shares = torch.einsum("nhlk,nhmk->nhlm", q, k).softmax(-1)
        y = torch.einsum("nhlm, nhmk, hkd -> nld", shares, v, self.mix)
        return torch.einsum(
            "...d,de->...e", torch.relu(torch.einsum("nld,de->nle", y, self.up)), self.down
        )


class Mixer(nn.Module):
    """An MLP over positions and one over channels."""

    def __init__(self):
        super().__init__()
        self.stem, self.norm = nn.Linear(6, 8), nn.LayerNorm(8)
        self.tokens = nn.Sequential(nn.Linear(4, 7), nn.GELU(), nn.Linear(7, 4))
        self.channels = nn.Sequential(nn.Linear(8, 10), nn.GELU(), nn.Linear(10, 8))
        self.out = nn.Linear(8, 3)

    def forward(self, x):
        x = self.stem(x)
        x = x + self.tokens(self.norm(x).transpose(1, 2)).transpose(1, 2)
        return self.out((x + self.channels(x)).mean(1))


def sequences():
    return torch.randn(12, 4, 6, generator=torch.Generator().manual_seed(0)).double()


def tokens():
    return torch.randint(11, (6, 6), generator=torch.Generator().manual_seed(0))


def pictures():
    return torch.randn(6, 2, 8, 8, generator=torch.Generator().manual_seed(0)).double()


def prompts():
    mask = torch.ones(6, 6, dtype=torch.int64)
    mask[2:4, 4:] = 0
    return {"input_ids": tokens(), "attention_mask": mask, "use_cache": False}


FORMS = {
    "a vision transformer": (ViT, pictures, {"blocks.0.fc1": 12, "blocks.1.fc1": 12}),
    "a vision transformer by hand": (
        lambda: ViT(fused=False),
        pictures,
        {"blocks.0.fc1": 12, "blocks.1.fc1": 12},
    ),
    "gated MLPs": (
        LanguageModel,
        prompts,
        {"layers.0.mlp.gate_proj": 10, "layers.1.mlp.gate_proj": 10},
    ),
    "weights by columns": (GPT, tokens, {"blocks.0.c_fc": 12, "blocks.1.c_fc": 12}),
    "torch's transformer": (
        Translation,
        tokens,
        {"encoder.layers.0.linear1": 12, "encoder.layers.1.linear1": 12, "decoder.linear1": 10},
    ),
    "torch's transformer, norms first": (
        lambda: Translation(norm_first=True),
        tokens,
        {"encoder.layers.0.linear1": 12, "encoder.layers.1.linear1": 12, "decoder.linear1": 10},
    ),
    "torch's transformer, positions first": (
        lambda: Translation(batch_first=False),
        tokens,
        {"encoder.layers.0.linear1": 12, "encoder.layers.1.linear1": 12, "decoder.linear1": 10},
    ),
    "LSTM": (lambda: Recurrent(nn.LSTM), sequences, {"first": 8, "second": 7}),
    "GRU": (lambda: Recurrent(nn.GRU, num_layers=2), sequences, {"first": 8, "second": 7}),
    "RNN": (lambda: Recurrent(nn.RNN, bias=False), sequences, {"first": 8, "second": 7}),
    "LSTM both ways": (
        lambda: Recurrent(nn.LSTM, bidirectional=True, num_layers=2),
        sequences,
        {"first": 8, "second": 7},
    ),
    "an LSTM cell in a loop": (
        lambda: Unrolled(nn.LSTMCell),
        sequences,
        {"first": 8},
    ),
    "a cell in a loop": (lambda: Unrolled(nn.GRUCell), sequences, {"first": 8}),
    "einsum": (Einsum, sequences, {"mix": 8, "up": 12}),
    "a mixer": (Mixer, sequences, {"tokens.0": 7, "channels.0": 10}),
}
"""By form: a function that makes one, one that makes inputs, and what can be pruned."""
