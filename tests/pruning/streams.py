"""Small transformers, what they are given, and norms of other kinds."""

import torch
from torch import nn
from torch.nn import functional

WIDTH, KEPT, LENGTH = 12, 8, 5


def randomised(network, seed=0):
    """In float64, with weights of norms and vectors that are not trivial."""
    torch.manual_seed(seed)
    network = network.double()
    for parameter in network.parameters():
        if parameter.ndim == 1:
            nn.init.uniform_(parameter, 0.5, 1.5)
        else:
            nn.init.normal_(parameter, 0, 0.4)
    return network.eval()


def sequences(n=60, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, LENGTH, 6, generator=generator).double()


def encoder(norm_first):
    layer = nn.TransformerEncoderLayer(WIDTH, 2, 10, 0.1, batch_first=True, norm_first=norm_first)
    layers = nn.TransformerEncoder(layer, 2, nn.LayerNorm(WIDTH), enable_nested_tensor=False)
    return nn.Sequential(nn.Linear(6, WIDTH), layers, nn.Linear(WIDTH, 3))


class Block(nn.Module):
    """Pre-norm: x + W₂ relu(W₁ norm(x))."""

    def __init__(self, norm):
        super().__init__()
        self.norm, self.inner, self.outer = norm, nn.Linear(WIDTH, 9), nn.Linear(9, WIDTH)

    def forward(self, x):
        return x + self.outer(self.inner(self.norm(x)).relu())


def blocks(norm):
    return nn.Sequential(
        nn.Linear(6, WIDTH),
        Block(norm(WIDTH)),
        Block(norm(WIDTH)),
        norm(WIDTH),
        nn.Linear(WIDTH, 3),
    )


class FunctionalNorm(nn.Module):
    """As nanoGPT writes it."""

    def __init__(self, width):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(width)), None

    def forward(self, x):
        return functional.layer_norm(x, self.weight.shape, self.weight, self.bias, 1e-5)


class OwnNorm(nn.Module):
    """As Llama writes it."""

    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return self.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)


class Vit(nn.Module):
    """A class token, positions, torchvision's way to keep its width, one layer."""

    def __init__(self):
        super().__init__()
        self.hidden_dim = WIDTH
        self.patches = nn.Conv2d(1, WIDTH, 2, 2)
        self.token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.place = nn.Parameter(torch.zeros(1, 17, WIDTH))
        self.layer = nn.TransformerEncoderLayer(WIDTH, 2, 10, batch_first=True, norm_first=True)
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 3)

    def forward(self, x):
        x = self.patches(x).reshape(len(x), self.hidden_dim, -1).mT
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.place
        return self.head(self.norm(self.layer(x))[:, 0])


class Bert(nn.Module):
    """Embeddings that are summed and normalised, masked attention, post-norm, a pooler."""

    def __init__(self):
        super().__init__()
        self.words, self.places = nn.Embedding(20, WIDTH), nn.Embedding(LENGTH, WIDTH)
        self.norm = nn.LayerNorm(WIDTH)
        self.layer = nn.TransformerEncoderLayer(WIDTH, 2, 10, batch_first=True)
        self.pooler, self.head = nn.Linear(WIDTH, 7), nn.Linear(7, 3)

    def forward(self, input_ids, attention_mask):
        x = self.words(input_ids) + self.places(torch.arange(input_ids.shape[1]))
        mask = attention_mask[:, None, None].bool()
        mask = mask.expand(-1, 2, LENGTH, -1).flatten(0, 1)
        return self.head(self.pooler(self.layer(self.norm(x), ~mask)[:, 0]).tanh())


def tokens(n=60):
    generator = torch.Generator().manual_seed(2)
    ids = torch.randint(0, 20, (n, LENGTH), generator=generator)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def images(n=60):
    return torch.randn(n, 1, 8, 8, generator=torch.Generator().manual_seed(3)).double()
