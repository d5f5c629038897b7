"""The numerical core: arrays in, arrays out. Axis 0 is the replicate; no file, no output."""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.int64]
