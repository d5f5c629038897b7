"""Measuring how long a network takes leaves it as it was."""

import torch

from mini_exp.compare.latency import latency_ms
from mini_exp.tasks.images.networks import digits_cnn


def test_the_mode_and_the_threads_come_back():
    network = digits_cnn().train()
    network.conv1.eval()
    threads = torch.get_num_threads()
    assert latency_ms(network, torch.zeros(2, 1, 8, 8)) > 0
    assert network.training
    assert not network.conv1.training
    assert torch.get_num_threads() == threads


def test_it_runs_in_eval_mode_without_gradients_on_one_thread():
    seen = set()

    class Watching(torch.nn.Module):
        def forward(self, x):
            seen.add((self.training, torch.is_grad_enabled(), torch.get_num_threads()))
            return x

    latency_ms(Watching(), torch.zeros(1))
    assert seen == {(False, False, 1)}
