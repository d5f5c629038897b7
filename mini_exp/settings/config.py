"""A resolved experiment: its name, its variants, and what is not a variant's."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from mini_exp.settings.diagnose import Diagnose
from mini_exp.settings.sections import Compare, Study
from mini_exp.settings.settings import Settings
from mini_exp.settings.yaml import dumped
from mini_exp.tasks.section import Section

# Safe as a folder on every system: Windows has devices of these names, and drops a last dot.
_NO_DEVICE = (
    r"(?!([Cc][Oo][Nn]|[Pp][Rr][Nn]|[Aa][Uu][Xx]|[Nn][Uu][Ll]"
    r"|[Cc][Oo][Mm][0-9]|[Ll][Pp][Tt][0-9])(\.|$))"
)
NAME = _NO_DEVICE + r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,62}[A-Za-z0-9_-])?"
VARIANT = _NO_DEVICE + r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"  # stands beside files, and in dotted keys
RESERVED = ("figures", "study", "compare", "diagnose")  # folders beside the variants'

# What goes beyond one run: the section is its command's; ``data``'s class names its commands.
REPETITIONS: dict[str, type[Section]] = {
    "study": Study,
    "compare": Compare,
    "diagnose": Diagnose,
}


class Config(BaseModel):
    """A resolved experiment; ``study`` and ``diagnose`` on MINI, ``compare`` on images."""

    model_config = ConfigDict(frozen=True)

    name: str
    variants: dict[str, Settings]
    study: Study | None = None
    compare: Compare | None = None
    diagnose: Diagnose | None = None

    @property
    def first(self) -> Settings:
        """The first variant's settings."""
        return next(iter(self.variants.values()))

    def as_yaml(self) -> str:
        """The resolved settings, every default spelled out."""
        absent = {name for name in REPETITIONS if getattr(self, name) is None}
        return dumped(self.model_dump(mode="json", exclude=absent))
