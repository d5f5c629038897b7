"""What an experiment is on: its settings, data, network, training and scores.

A new set of images is a file in ``images/`` with an ``ImageData`` and a line in ``DATA``; a new
network one with an ``ImageModel`` and a line in ``MODELS``.
"""

from __future__ import annotations

from mini_exp.tasks.images.cifar10 import Cifar10
from mini_exp.tasks.images.digits import Digits
from mini_exp.tasks.images.models import DigitsCNN, ResNetModel, ThesisCNN
from mini_exp.tasks.mini.settings import FullyConnected, Mini
from mini_exp.tasks.own.settings import Arrays, Folder, PythonModel

DATA = (Mini, Digits, Cifar10, Folder, Arrays)
MODELS = (FullyConnected, DigitsCNN, ThesisCNN, ResNetModel, PythonModel)
