"""What the foreign networks are run on: images, patches, states, sound, as their authors scale."""

from __future__ import annotations

import functools
import io
from fractions import Fraction
from pathlib import Path

import numpy as np
import scipy.io.wavfile
import scipy.signal
import torch
from torch import Tensor

from mini_exp.errors import ArtifactError
from mini_exp.tasks.images.cifar10_files import cifar10_images
from mini_exp.tasks.images.image_data import Images

SAMPLE_RATE = 16_000
LUMA = (0.299, 0.587, 0.114)  # of red, green and blue, ITU-R BT.601


def content(path: Path) -> bytes:
    """A file's content; ArtifactError where there is none."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read: {error.strerror}") from None


@functools.cache
def images(root: Path) -> tuple[Images, Images]:
    """CIFAR-10, training and test set, read once."""
    return cifar10_images(root)


def shares(pixels: np.ndarray) -> Tensor:
    """Bytes (n, 3, 32, 32) → [0, 1]."""
    return torch.from_numpy(pixels).float() / 255


def scaled(pixels: np.ndarray, mean: tuple[float, ...], deviation: tuple[float, ...]) -> Tensor:
    """Bytes (n, 3, 32, 32) → (share of 255 − mean) / deviation, channel by channel."""
    centred = shares(pixels) - torch.tensor(mean)[:, None, None]
    return centred / torch.tensor(deviation)[:, None, None]


def grey_patches(pixels: np.ndarray) -> Tensor:
    """Bytes (n, 3, 32, 32) → luma (n, 1, 32, 32) in [0, 1]."""
    return torch.einsum("c,nchw->nhw", torch.tensor(LUMA), shares(pixels))[:, None]


def standardised(x: Tensor) -> Tensor:
    """Every sample with mean 0 and standard deviation 1; a constant one becomes 0."""
    flat = x.flatten(1)
    flat = flat - flat.mean(1, keepdim=True)
    return (flat / flat.std(1, keepdim=True).clamp(min=1e-7)).view_as(x)


def halves(x: Tensor) -> tuple[Tensor, Tensor]:
    """To calibrate on and to score on."""
    return x[: len(x) // 2], x[len(x) // 2 :]


def states(path: Path) -> Tensor:
    """States that a policy visited (n, features); the files have them shuffled over episodes."""
    array = np.load(io.BytesIO(content(path)), allow_pickle=False)
    return torch.from_numpy(array)


def sound(path: Path) -> Tensor:
    """A mono file of 16-bit samples: in [−1, 1), at 16 kHz."""
    rate, samples = scipy.io.wavfile.read(io.BytesIO(content(path)))
    if samples.dtype != np.int16 or samples.ndim != 1:
        raise ArtifactError(f"{path}: expected one channel of 16-bit samples")
    ratio = Fraction(SAMPLE_RATE, rate)
    resampled = scipy.signal.resample_poly(samples / 2**15, ratio.numerator, ratio.denominator)
    return torch.from_numpy(resampled).float()


def frames(samples: Tensor, length: int, hop: int) -> Tensor:
    """Stretches of a signal (n, length) that begin every ``hop`` samples."""
    return samples.unfold(0, length, hop)


def mel_spectrogram(segments: Tensor) -> Tensor:
    """Segments (n, samples) → (n, 1, frames, 120): 1 + (dB below the loudest) / 40, from −1 to 1.

    Windows of 321 samples every 160, zeros around the segment, 80 dB at most, as DNSMOS has it.
    """
    n_window, hop, n_bands = 321, 160, 120
    spectrum = torch.stft(
        segments,
        n_window,
        hop,
        window=torch.hann_window(n_window),
        pad_mode="constant",
        return_complex=True,
    )
    power = mel_filters(n_window, n_bands) @ spectrum.abs().square()
    level = 10 * power.clamp(min=1e-10).log10()
    below = level - level.amax(dim=(1, 2), keepdim=True)
    return (1 + below.clamp(min=-80) / 40).transpose(1, 2)[:, None]


def mel_filters(n_window: int, n_bands: int) -> Tensor:
    """Triangles of area 1 Hz between frequencies that are even in mel: (bands, n_window // 2 + 1).

    Slaney's mel scale: 200/3 Hz per mel to 1 kHz, then 27 mel for every factor of 6.4.
    """
    knee = 1000 / (200 / 3)
    highest = knee + 27 * np.log(SAMPLE_RATE / 2 / 1000) / np.log(6.4)
    mel = np.linspace(0, highest, n_bands + 2)
    hertz = np.where(mel < knee, mel * 200 / 3, 1000 * 6.4 ** ((mel - knee) / 27))
    frequency = np.fft.rfftfreq(n_window, 1 / SAMPLE_RATE)
    low, centre, high = (hertz[i : i + n_bands, None] for i in range(3))
    rising, falling = (frequency - low) / (centre - low), (high - frequency) / (high - centre)
    triangles = np.minimum(rising, falling).clip(min=0) * 2 / (high - low)
    return torch.from_numpy(triangles).float()
