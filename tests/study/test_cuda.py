import pytest
import torch
from numpy.testing import assert_allclose

from mini_exp.study.replicates import block, sampled_data

COMPARED = ("_loss", "_accuracy", "parameters", "diverged")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch finds no CUDA device")
@pytest.mark.parametrize("variant", ["published", "corrected_bias"])
def test_a_block_is_the_same_on_a_gpu(config, variant):
    settings = config.variants[variant]
    data = sampled_data(settings, config.study, 0)
    found = block(settings.model_copy(update={"device": "cuda"}), config.study, 0, data)
    expected = block(settings, config.study, 0, data)
    assert found.keys() == expected.keys()
    for name in expected:
        if name.endswith(COMPARED) or name.startswith("information"):
            assert_allclose(found[name], expected[name], rtol=1e-6, err_msg=name)
