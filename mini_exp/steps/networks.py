"""From saved parameters back to a network on its device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mini_exp.pruning.saving import restored_network
from mini_exp.tasks.task import task_of

if TYPE_CHECKING:
    from torch import Tensor, nn

    from mini_exp.pruning.selection import Selection
    from mini_exp.settings.settings import Settings


def saved_network(
    settings: Settings, state: Mapping[str, Tensor], selection: Selection | None = None
) -> nn.Module:
    """The network of a state, smaller where there is a selection, as it was saved.

    Raises
    ------
    ArtifactError
        If it is another network's.
    """
    new = task_of(settings.data).new_network(settings.model, settings.data, settings.seed)
    network = restored_network(new, state, selection, "the saved network")
    return network.to(settings.device)
