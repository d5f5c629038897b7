"""A network run on an example with labels beside the numbers: which channels belong together."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from mini_exp.pruning.calls import WRITING, Call, in_place, tensors_in
from mini_exp.pruning.constraints import Constraints
from mini_exp.pruning.labels import Factors, Operand, nontrivial, stay_along
from mini_exp.spectral import Integers


@dataclass(frozen=True)
class Axis:
    """An axis of a parameter or buffer: labels ``first`` … ``first + size − 1``."""

    tensor: str
    axis: int
    first: int
    size: int

    @property
    def labels(self) -> Integers:
        return np.arange(self.first, self.first + self.size)


@dataclass(frozen=True)
class Use:
    """A call in which a weight reads an input.

    Attributes
    ----------
    module : str
        Where it happens.
    operation : str
        Name of the function.
    weight : str or None
        The parameter that is the weight, as it is or moved; None if the weight is computed.
    moved : bool
        Whether it is moved: transposed, say.
    input_at, weight_at : int
        Their places among all tensors that the function is given.
    axis : int
        Of the input, from its end, along which the weight reads.
    source : int
        Inputs with the same number are the same tensor.
    """

    module: str
    operation: str
    weight: str | None
    moved: bool
    input_at: int
    weight_at: int
    axis: int
    source: int


@dataclass(frozen=True)
class Contraction:
    """What a weight reads and writes.

    Attributes
    ----------
    use : Use
    columns, rows : (n,) int64 or None
        Labels of what the weight reads and writes, for all its groups side by side.
    channels : (n,) int64
        Labels of the input along the axis that is read, 0 where it has no channel.
    positions : int
        How often the weight is used for one sample.
    kernel : int
        Multiplications for each pair of what is read and written.
    n_rows : int
        What is written, where there are no labels.
    groups : int
    """

    use: Use
    columns: Integers | None
    rows: Integers | None
    channels: Integers
    positions: int
    kernel: int = 1
    n_rows: int = 0
    groups: int = 1


@dataclass
class _Place:
    """A module that runs, and what it was given."""

    name: str
    arguments: tuple[Any, ...]


class Propagation(TorchFunctionMode):
    """Runs PyTorch's functions as they are and keeps the factors of what they return.

    Parameters
    ----------
    network : nn.Module
        Its parameters and buffers are labelled.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.constraints = Constraints()
        self.contractions: list[Contraction] = []
        self.dropouts: list[tuple[str, Factors]] = []
        self.bare_norms: list[tuple[str, Integers]] = []
        self.norms: set[str] = set()
        self.views: list[tuple[str, Integers]] = []
        self.axes: list[Axis] = []
        self.places: list[_Place] = []
        self.given: list[Tensor] = []
        self.n_uses: Counter[str] = Counter()
        self.n_samples = 1
        self._factors = WeakTensorKeyDictionary()
        self._weights = WeakTensorKeyDictionary()
        self._names = WeakTensorKeyDictionary()
        self._sources = WeakTensorKeyDictionary()
        self._single = WeakTensorKeyDictionary()
        self._label_parameters()

    def run(self, function: Callable[[], Any]) -> Any:
        """Call a function under the mode; the places where it is stay known if it raises."""
        with contextlib.ExitStack() as stack, torch.no_grad():
            for handle in self._place_hooks():
                stack.callback(handle.remove)
            stack.enter_context(self)
            return function()

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        from mini_exp.pruning.operations import COMPOSITES, ELEMENTWISE, RULES

        call = Call.of(func, args, kwargs)
        args, kwargs = call.args, call.kwargs
        if call.name in COMPOSITES:
            with self:
                return COMPOSITES[call.name](*args, **kwargs)
        given = [x for x in tensors_in((args, kwargs)) if self.factors(x) or self.is_weight(x)]
        self.given = given or self.given
        call.result = func(*args, **kwargs)
        if call.name in ELEMENTWISE:
            self._carry_single(call)
        if not given:
            return call.result
        results = next(tensors_in(call.result), None) is not None
        if results:
            self.n_uses.update(self._names[x] for x in given if x in self._names)
        if results or call.name in WRITING:
            rule = RULES.get(call.name)
            if rule is None:
                self.let_stay(given, f"{call.name} is not covered")
            else:
                rule(self, call)
                if all(self.is_weight(x) or not x.ndim for x in tensors_in((args, kwargs))):
                    for x in tensors_in(call.result):
                        self._weights[x] = True
            if in_place(func):
                self._sources.pop(args[0], None)
        return call.result

    @property
    def place(self) -> str:
        """The module that runs."""
        return self.places[-1].name if self.places else ""

    def reason(self, what: str) -> str:
        """What happens, and where."""
        return f"{self.place or 'the network'}: {what}"

    def factors(self, x: Any) -> Factors:
        """The factors of a tensor, none if it is constant."""
        factors: Factors = self._factors.get(x, ()) if isinstance(x, Tensor) else ()
        return factors

    def operand(self, x: Tensor) -> Operand:
        return Operand(self.factors(x), tuple(x.shape))

    def label(self, x: Any, factors: Sequence[Tensor]) -> None:
        """Set the factors of a tensor."""
        self._factors[x] = nontrivial(factors)

    def is_weight(self, x: Tensor) -> bool:
        """Whether a tensor is a parameter or buffer, or made of nothing else."""
        return x in self._weights

    def source(self, x: Tensor) -> int:
        """A number for a tensor's present content."""
        if x not in self._sources:
            self._sources[x] = len(self.contractions) + 1
        number: int = self._sources[x]
        return number

    def use(self, call: Call, x: Tensor, axis: int, weight: Tensor) -> Use:
        """The use of a weight by a call."""
        given = list(tensors_in((call.args, call.kwargs)))
        known = weight if weight in self._names or weight._base is None else weight._base
        return Use(
            self.place,
            call.name,
            self._names.get(known),
            known is not weight,
            next(i for i, one in enumerate(given) if one is x),
            next(i for i, one in enumerate(given) if one is weight),
            axis,
            self.source(x),
        )

    def own_weight(self, weight: Any) -> str | None:
        """The name of a parameter that the module that runs holds, if it has no parts."""
        name: str | None = self._names.get(weight) if isinstance(weight, nn.Parameter) else None
        own = name is not None and name.rpartition(".")[0] == self.place
        parts = any(True for _ in self.network.get_submodule(self.place).children())
        return name if own and not parts else None

    def split(self, labels: Integers) -> None:
        """An axis becomes several, here."""
        self.constraints.split(labels, self.place)

    def single(self, x: Tensor) -> Integers | None:
        """The label of a layer's only channel, where a tensor holds that: (1,)."""
        label: Integers | None = self._single.get(x)
        return label

    def set_single(self, x: Tensor, label: Integers | None) -> None:
        """Note that a tensor holds a layer's only channel, which no axis shows."""
        if label is not None and len(label) == 1:
            self._single[x] = label

    def _carry_single(self, call: Call) -> None:
        for x in tensors_in((call.args, call.kwargs)):
            if x in self._single and isinstance(call.result, Tensor):
                self._single[call.result] = self._single[x]

    def label_of_axis(self, weight: Tensor, axis: int) -> Integers | None:
        """Labels of an axis of a parameter, or of its transpose."""
        moved = weight not in self._names
        name = self._names.get(weight._base if moved and weight._base is not None else weight)
        if moved:
            axis = {weight.ndim - 1: weight.ndim - 2, weight.ndim - 2: weight.ndim - 1}.get(
                axis, axis
            )
        return next((a.labels for a in self.axes if (a.tensor, a.axis) == (name, axis)), None)

    def let_stay(self, tensors: Sequence[Tensor], what: str) -> None:
        """Let all channels of some tensors stay."""
        for x in tensors:
            for factor in self.factors(x):
                stay_along(self.constraints, factor, range(factor.ndim), self.reason(what))

    def _label_parameters(self) -> None:
        names = [
            *self.network.named_parameters(remove_duplicate=True),
            *self.network.named_buffers(remove_duplicate=True),
        ]
        for name, x in names:
            factors = []
            for axis, size in enumerate(x.shape):
                labels = self.constraints.new_labels(size)
                self.axes.append(Axis(name, axis, int(labels[0]) if size else 0, size))
                shape = (1,) * axis + (size,) + (1,) * (x.ndim - axis - 1)
                factors.append(torch.from_numpy(labels).reshape(shape))
            self.label(x, factors)
            self._weights[x] = True
            self._names[x] = name

    def _place_hooks(self) -> Iterator[Any]:
        for name, module in self.network.named_modules():

            def enter(module: nn.Module, arguments: Any, named: Any, name: str = name) -> None:
                self.places.append(_Place(name, (arguments, named)))

            def leave(*ignored: Any) -> None:
                self.places.pop()

            yield module.register_forward_pre_hook(enter, prepend=True, with_kwargs=True)
            yield module.register_forward_hook(leave)
