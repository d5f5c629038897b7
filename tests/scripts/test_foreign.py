"""scripts/foreign: definitions, inputs and scores on small numbers; the networks where they are.

MINI_EXP_NETWORKS names the folder of the downloaded networks, MINI_EXP_CIFAR10 that of CIFAR-10;
without them the tests of the weights are skipped.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.io.wavfile
import torch
from click.testing import CliRunner
from torch import nn

from mini_exp.errors import ArtifactError, NetworkError
from mini_exp.tasks.images.cifar10 import Cifar10
from scripts.foreign import __main__ as script
from scripts.foreign import inputs, networks, scores, trials
from scripts.foreign.catalogue import FOREIGN, Foreign

ROOT = Path(script.__file__).parents[2]
CREPE_WIDTHS = ((128, 16), (16, 16), (16, 16), (16, 32), (32, 64))  # read and written
CREPE = (512 + 3) * 128 + sum((64 * n + 3) * m for n, m in CREPE_WIDTHS) + 257 * 360
BY_NAME = {foreign.name: foreign for foreign in FOREIGN}


# Definitions


@pytest.mark.parametrize(
    ("name", "shape", "output", "parameters"),
    [
        # Conv and linear weights, their biases, two per channel of a batch norm with parameters.
        ("ResNet-20", (3, 32, 32), (10,), 269_722),  # 0.27 M: He et al., table 6
        ("ResNet-32", (3, 32, 32), (10,), 464_154),  # 0.46 M: the same
        ("LeNet", (3, 32, 32), (10,), 456 + 2_416 + 48_120 + 10_164 + 850),
        ("DQN, CartPole-v1", (4,), (2,), 5 * 256 + 257 * 256 + 257 * 2),
        ("SAC, Pendulum-v1", (3,), (1,), 4 * 64 + 65 * 64 + 65),
        ("AffNet", (1, 32, 32), (3, 1, 1), 9 * (16 + 256 + 512 + 1024 + 2048 + 4096) + 12_291),
        ("TFeat", (1, 32, 32), (128,), 50 * 32 + (32 * 36 + 1) * 64 + 4_097 * 128),
        ("CREPE tiny", (1024,), (360,), CREPE),
        ("DNSMOS P.808", (1, 200, 120), (1,), 320 + 3 * 9_248 + 18_496 + 2 * 4_160 + 65),
    ],
)
def test_a_definition_has_the_shapes_and_parameters_of_its_source(name, shape, output, parameters):
    network = BY_NAME[name].architecture().eval()
    with torch.no_grad():
        assert network(torch.randn(2, *shape)).shape == (2, *output)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


def test_a_shortcut_takes_every_second_pixel_between_channels_of_zeros():
    block = networks.PaddedBlock(2, 4).eval()
    nn.init.zeros_(block.conv2.weight)  # nothing but the shortcut is left
    x = torch.rand(1, 2, 4, 4)
    expected = torch.zeros(1, 4, 2, 2)
    for channel in range(2):
        for row in range(2):
            for column in range(2):
                expected[0, 1 + channel, row, column] = x[0, channel, 2 * row, 2 * column]
    with torch.no_grad():
        assert torch.equal(block(x), expected)


# Inputs


def test_white_is_one_in_grey():
    grey = inputs.grey_patches(np.full((1, 3, 32, 32), 255, np.uint8))
    torch.testing.assert_close(grey, torch.ones(1, 1, 32, 32))


def test_images_are_scaled_channel_by_channel():
    pixels = np.zeros((1, 3, 32, 32), np.uint8)
    pixels[:, 1] = 255
    scaled = inputs.scaled(pixels, (0.0, 0.5, 1.0), (1.0, 0.25, 0.5))
    assert scaled[0, :, 0, 0].tolist() == [0, 2, -2]


def test_standardised_samples_have_mean_0_and_deviation_1():
    x = inputs.standardised(3 + 2 * torch.randn(4, 1, 8, 8, dtype=torch.float64)).flatten(1)
    torch.testing.assert_close(x.mean(1), torch.zeros(4, dtype=torch.float64))
    torch.testing.assert_close(x.std(1), torch.ones(4, dtype=torch.float64))


def test_a_constant_sample_is_standardised_to_zero():
    assert torch.equal(inputs.standardised(torch.ones(1, 4)), torch.zeros(1, 4))


def test_sound_is_resampled_to_16_khz(tmp_path):
    times = np.arange(44_100) / 44_100
    tone = np.sin(2 * np.pi * 440 * times)
    scipy.io.wavfile.write(tmp_path / "tone.wav", 44_100, (2**14 * tone).astype(np.int16))
    samples = inputs.sound(tmp_path / "tone.wav")
    expected = 0.5 * torch.sin(2 * torch.pi * 440 * torch.arange(16_000) / 16_000)
    # Away from the ends, where the filter reaches past the file; its ripple is below 0.5 %.
    torch.testing.assert_close(samples[500:-500], expected[500:-500], atol=2.5e-3, rtol=0)


def test_stereo_is_refused(tmp_path):
    scipy.io.wavfile.write(tmp_path / "stereo.wav", 16_000, np.zeros((9, 2), np.int16))
    with pytest.raises(ArtifactError, match=r"stereo.wav: expected one channel of 16-bit samples"):
        inputs.sound(tmp_path / "stereo.wav")


def mel(hertz: float) -> float:
    return hertz * 3 / 200 if hertz < 1000 else 15 + 27 * math.log(hertz / 1000, 6.4)


def test_mel_filters_are_triangles_between_even_steps_in_mel():
    filters = inputs.mel_filters(64, 10)
    step = mel(8000) / 11
    for band in range(10):
        low, centre, high = (edge(step * (band + i)) for i in range(3))
        for k in range(33):
            hertz = 250 * k
            height = 0.0
            if low < hertz <= centre:
                height = (hertz - low) / (centre - low)
            elif centre < hertz < high:
                height = (high - hertz) / (high - centre)
            assert filters[band, k].item() == pytest.approx(height * 2 / (high - low), abs=1e-8)


def edge(target: float) -> float:
    """The frequency of a mel, by bisection of ``mel``."""
    low, high = 0.0, 10_000.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if mel(middle) < target else (low, middle)
    return low


def test_the_loudest_band_of_a_tone_is_1_and_silence_is_minus_1():
    tone = torch.sin(2 * torch.pi * 1000 * torch.arange(16_000) / 16_000)
    tone[8_000:] = 0
    spectrogram = inputs.mel_spectrogram(tone[None])
    assert spectrogram.shape == (1, 1, 100, 120)
    assert spectrogram.max() == 1
    assert spectrogram[0, 0, 60:].max() == -1
    step = mel(8000) / 121
    assert spectrogram[0, 0, 20].argmax() == round(mel(1000) / step) - 1


# Scores


def test_accuracy_counts_labels():
    assert scores.accuracy(torch.tensor([[2.0, 1.0], [0.0, 3.0]]), torch.tensor([0, 0])) == 0.5


@pytest.mark.parametrize(("within", "share"), [(0, 0), (1, 2 / 3), (2, 1)])
def test_agreement_counts_places_that_are_near(within, share):
    assert scores.agreement(torch.eye(3), torch.eye(3).roll(1, 1), within) == pytest.approx(share)


def test_the_mean_has_a_relative_squared_error_of_1():
    reference = torch.tensor([[1.0, 0.0], [3.0, 4.0]])
    assert scores.relative_squared_error(reference, reference.mean(0).expand(2, 2)) == 1


def test_the_cosine_does_not_see_lengths():
    values = torch.tensor([[2.0, 0.0], [1.0, 0.0]])
    assert scores.mean_cosine(torch.eye(2), values) == pytest.approx(0.5)


def test_the_relative_error_is_of_the_reference():
    assert scores.mean_relative_error(torch.tensor([2.0, 4.0]), torch.tensor([3.0, 4.0])) == 0.25


def test_the_divergence_sums_over_outputs_and_averages_over_samples():
    reference = torch.tensor([[0.5, 0.5], [0.5, 0.5]])
    values = torch.tensor([[0.25, 0.25], [0.5, 0.5]])
    each = 0.5 * math.log(2) + 0.5 * math.log(2 / 3)
    assert scores.bernoulli_divergence(reference, values) == pytest.approx(each)


def test_the_divergence_of_certain_outputs_is_finite():
    p, q = torch.tensor([[0.0, 1.0]]), torch.tensor([[1.0, 0.0]])
    assert math.isfinite(scores.bernoulli_divergence(p, q))


class Countdown:
    """An environment whose seed is the number of steps; the action is the reward."""

    def reset(self, seed):
        self.left = seed
        return np.array([seed], np.float32), {}

    def step(self, action):
        self.left -= 1
        return np.zeros(1, np.float32), action, self.left <= 0, False, {}


def test_the_return_is_averaged_over_episodes(monkeypatch):
    gymnasium = types.SimpleNamespace(make=lambda name: Countdown())
    monkeypatch.setitem(sys.modules, "gymnasium", gymnasium)
    # The policy is 2 at first, then 0, whatever the state's size; 20 episodes.
    policy = nn.Hardtanh(0, 2)
    total = sum(min(seed, 2) for seed in range(20))
    assert scores.mean_return(policy, "Countdown", lambda x: x.item()) == total / 20


def test_there_is_no_return_without_gymnasium(monkeypatch):
    monkeypatch.setattr(trials.importlib.util, "find_spec", lambda name: None)
    assert trials.returns("CartPole-v1", lambda values: 0) == {}


# The table


def small_network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1))


class Small(Foreign):
    """A network without a file."""

    def network(self, folder: Path) -> nn.Module:
        torch.manual_seed(0)
        return self.architecture().eval()


def small_trial(folder: Path, cifar10: Cifar10) -> trials.Trial:
    calibration = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    return trials.Trial(calibration, {"zero": trials.own(lambda network: 0.0)})


SMALL = Small("small", "example.org", "MIT", "", small_network, small_trial)


def test_every_share_has_its_parameters_and_scores():
    rows = list(script.rows(SMALL, Path(), Cifar10()))
    assert [(row.keep, row.recovered, row.value) for row in rows if row.measure != "zero"] == [
        (1, False, 17),
        (0.75, False, 13),  # 3 of 4 hidden units, 4 parameters each, and a bias
        (0.75, True, 13),
        (0.5, False, 9),
        (0.5, True, 9),
    ]
    assert [row.value for row in rows if row.measure == "zero"] == [0] * 5


def test_a_refusal_is_a_cell(monkeypatch):
    def refused(network, batches, keep, recover):
        raise NetworkError("prune: no")

    monkeypatch.setattr(script, "prune", refused)
    table = script.markdown_table(list(script.rows(SMALL, Path(), Cifar10())))
    assert table == "\n".join(
        [
            "| Network | Source | Measure | Original | Keep 0.75 | Keep 0.75, recovered "
            "| Keep 0.5 | Keep 0.5, recovered |",
            "|---|---|---|---:|---:|---:|---:|---:|",
            f"| small | example.org, MIT | parameters | 17 {'| prune: no ' * 4}|",
            "| small | example.org, MIT | zero | 0 | – | – | – | – |",
        ]
    )


def test_an_empty_folder_gives_reasons_and_no_numbers(tmp_path):
    result = CliRunner().invoke(script.main, [str(tmp_path), "--results", str(tmp_path)])
    assert result.exit_code == 0, result.output
    frame = pd.read_csv(tmp_path / "foreign.csv")
    assert frame["network"].tolist() == list(BY_NAME)
    assert frame["value"].isna().all()
    for foreign, refusal in zip(FOREIGN, frame["refusal"], strict=True):
        assert refusal == f"{tmp_path / foreign.file}: cannot be read: No such file or directory"


def test_weights_of_another_network_are_refused(tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"no weights")
    foreign = Foreign("small", "example.org", "MIT", path.name, small_network, small_trial)
    with pytest.raises(ArtifactError, match="expected the weights of small: Error while deser"):
        foreign.network(tmp_path)


def test_it_runs_as_a_module(environment):
    command = [sys.executable, "-m", "scripts.foreign", "--help"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert "--cifar10" in done.stdout


# The weights


def folder_of(variable: str) -> Path:
    if variable not in os.environ:
        pytest.skip(f"{variable} names no folder: the data are not part of this repository")
    return Path(os.environ[variable])


@pytest.mark.parametrize("foreign", FOREIGN, ids=lambda foreign: foreign.name)
def test_the_weights_fit_strictly(foreign):
    assert not foreign.network(folder_of("MINI_EXP_NETWORKS")).training


@pytest.mark.parametrize("hertz", [110, 220, 440, 880])
def test_crepe_hears_a_tone(hertz):
    crepe = BY_NAME["CREPE tiny"].network(folder_of("MINI_EXP_NETWORKS"))
    tone = torch.sin(2 * torch.pi * hertz * torch.arange(4_000) / 16_000)
    places = scores.outputs(crepe, inputs.standardised(inputs.frames(tone, 1024, 160))).argmax(1)
    cents = 1200 * math.log2(hertz / 10) - 1997.3794084376191  # above the lowest place
    assert (20 * places - cents).abs().max() <= 20  # a place


def test_speech_quality_is_that_of_the_published_model():
    folder = folder_of("MINI_EXP_NETWORKS")
    samples = inputs.sound(folder / trials.RECORDING)[:144_000]
    network = BY_NAME["DNSMOS P.808"].network(folder)
    score = scores.outputs(network, inputs.mel_spectrogram(samples[None]))
    # By speechmos 0.0.1.1 with librosa and onnxruntime; spectrograms agree to 1e-4.
    assert score.item() == pytest.approx(3.32837, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "accuracy"), [("ResNet-20", 0.8103), ("ResNet-32", 0.8256), ("LeNet", 0.5842)]
)
def test_the_originals_reach_their_accuracy_on_the_re_encoded_images(name, accuracy):
    folder, root = folder_of("MINI_EXP_NETWORKS"), folder_of("MINI_EXP_CIFAR10")
    original = BY_NAME[name].network(folder)
    trial = BY_NAME[name].trial(folder, Cifar10(root=str(root), reencoded=True))
    score = trial.scores["test accuracy, re-encoded images"]
    assert score(original, original) == pytest.approx(accuracy, abs=2e-4)  # two images on an edge
