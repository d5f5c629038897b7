"""What prune gives goes through PyTorch's export, batch norms, heads and all."""

import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from mini_exp import prune
from mini_exp.tasks.exporting import exported


def convolutional():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 6, 3),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 4),
    ).eval()


def transformer():
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(16, nhead=4, dim_feedforward=32, batch_first=True)
    return nn.TransformerEncoder(layer, 1, enable_nested_tensor=False).eval()


NETWORKS = {
    "convolutional": (convolutional, (20, 3, 8, 8), {}),
    "transformer": (transformer, (20, 5, 16), {"heads": True}),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_an_exported_network_gives_what_the_pruned_one_gives(name):
    network, shape, options = NETWORKS[name]
    x = torch.randn(shape)
    smaller, _ = prune(network(), x, keep=0.5, **options)
    exported = torch.export.export(smaller, (x,)).module()
    with torch.no_grad():
        assert_allclose(exported(x), smaller(x), atol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_onnx_gives_what_the_pruned_one_gives(name):
    onnx = pytest.importorskip("onnx", reason="pip install 'mini-exp[export]'")
    reference = pytest.importorskip("onnx.reference", reason="pip install 'mini-exp[export]'")
    pytest.importorskip("onnxscript", reason="pip install 'mini-exp[export]'")
    network, shape, options = NETWORKS[name]
    x = torch.randn(shape)
    smaller, _ = prune(network(), x, keep=0.5, **options)
    session = reference.ReferenceEvaluator(onnx.load_from_string(exported(smaller, x, "onnx")))
    (outputs,) = session.run(None, {"input": x[:3].numpy()})
    with torch.no_grad():
        assert_allclose(outputs, smaller(x[:3]), atol=1e-5)  # float32, sums in another order


@pytest.mark.parametrize("name", NETWORKS)
def test_a_pruned_network_is_pruned_once_more(name):
    network, shape, options = NETWORKS[name]
    x = torch.randn(shape)
    smaller, first = prune(network(), x, keep=0.5, **options)
    _, second = prune(smaller, x, keep=0.5, **options)
    assert second.widths == {group: (width + 1) // 2 for group, width in first.widths.items()}
