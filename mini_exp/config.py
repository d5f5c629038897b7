"""Experiment files: YAML → one resolved `Settings` per variant, or one clear error."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)

from mini_exp.errors import ConfigError

Positive = Annotated[int, Field(ge=1, le=10_000_000)]  # above: a slip, not an experiment
PositiveFloat = Annotated[float, Field(gt=0)]
# Strict mode takes no list for a tuple, and YAML has only lists.
Widths = Annotated[tuple[Positive, ...], Field(strict=False, min_length=1)]

# PyYAML lets Python's own errors out where a tag does not fit its text (`!!int ""`).
_YAML_ERRORS = (
    *(yaml.YAMLError, RecursionError, ValueError, LookupError, AttributeError, TypeError),
)

MAX_CHARACTERS = 100_000  # of an experiment file; parsing takes seconds beyond
MAX_DEPTH = 20

KINDS = ("mini", "digits", "cifar10")  # of data
NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"  # safe as a folder on every system
VARIANT = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"  # stands beside files, and in dotted keys
RESERVED = ("figures", "study", "compare")  # folders beside the variants'


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Data(_Section):
    """MINI (4.3.1)."""

    kind: Literal["mini"] = Field(
        "mini", description="the data set; digits and cifar10 are images, with keys of their own"
    )
    n_train: Positive = Field(100, description="training samples")
    n_test: Positive = Field(100, description="test samples; the published run had 99")
    n_population: Positive = Field(100_000, description="draws that stand for the population")
    epsilon: float = Field(0.1, ge=0, description="ε: covariance of two coordinates of T")
    labels: Literal["thesis", "swapped"] = Field(
        "thesis", description="1 where X̄ ≥ −0.6 (4.3.1), or swapped as in the author's code"
    )


class Model(_Section):
    """MiniModel: ReLU layers and one sigmoid output."""

    kind: Literal["mlp"] = Field("mlp", description="fully connected layers")
    widths: Widths = Field((16, 12, 10), description="hidden widths")
    bias: bool = Field(False, description="with biases")


class Train(_Section):
    """Adam on the mean binary cross-entropy."""

    epochs: Positive = Field(200, description="passes over the training set")
    batch_size: Positive = Field(32, description="samples per step; the last batch may be smaller")
    learning_rate: PositiveFloat = Field(1e-3, description="of Adam")


class Covariance(_Section):
    """Second moment of every hidden layer's output (appendix 8.1)."""

    scale: Literal["sum", "mean"] = Field(
        "mean", description="mean over the samples (8.1), or their sum (the author's)"
    )


class Rho(_Section):
    """Regular grid of ρ (4.2.3)."""

    start: PositiveFloat = Field(1.0, description="the smallest ρ")
    stop: PositiveFloat = Field(10.0, description="the largest ρ")
    num: Positive = Field(91, description="how many, both ends included")

    @model_validator(mode="after")
    def _ordered(self) -> Rho:
        if self.stop < self.start or (self.num > 1 and self.stop == self.start):
            raise ValueError(f"expected start < stop, got {self.start} and {self.stop}")
        return self


class Choose(_Section):
    """How the widths are chosen: exactly one of these."""

    rho: PositiveFloat | None = Field(None, description="the widths that this ρ gives")
    parameters: Positive | None = Field(None, description="the most parameters within this number")
    information: float | None = Field(
        None, gt=0, le=1, description="α: per layer, the fewest units with 𝒞 ≥ α"
    )

    @model_validator(mode="after")
    def _one(self) -> Choose:
        if len(self.model_fields_set) != 1 or None in self.model_dump(exclude_unset=True).values():
            raise ValueError(
                "expected exactly one of rho, parameters, information, got "
                f"{', '.join(sorted(self.model_fields_set)) or 'none'}"
            )
        return self


Choice = Annotated[
    Annotated[Widths, Tag("widths")] | Annotated[Choose, Tag("rule")],
    Discriminator(lambda value: "widths" if isinstance(value, list | tuple) else "rule"),
]


class Width(_Section):
    """The width problem (4.2.1–4.2.3)."""

    solver: Literal["published", "exact"] = Field(
        "exact", description="the author's Newton-CG, or the certified global minimum"
    )
    regularizer: Literal["square", "abs"] = Field("square", description="R(p) = p² or |p|")
    boundary: Literal["hidden", "parameters"] = Field(
        "parameters", description="products of hidden widths only, or with input and output"
    )
    rho: Rho = Rho()
    choose: Choice = Field((8, 3, 3), description="explicit widths, or a rule")

    @model_validator(mode="after")
    def _published_is_hidden(self) -> Width:
        if self.solver == "published" and self.boundary != "hidden":
            raise ValueError(
                f"expected boundary: hidden, all that the published solver knows, got "
                f"{self.boundary!r}"
            )
        return self


class Select(_Section):
    """Greedy selection of units (4.1.7)."""

    scope: Literal["complement", "full"] = Field(
        "full", description="F: the units outside J with unit weight (published), or all units"
    )
    theta: float = Field(0.5, ge=0, le=1, description="θ: 1 units alone, 0 what is read of them")


class Compress(_Section):
    """The smaller network's weights (4.1.1, 4.1.2)."""

    weights: Literal["slice", "reconstruct"] = Field(
        "reconstruct", description="copy the kept rows and columns, or fold A_J into the next layer"
    )
    ridge: float = Field(0.0, ge=0, description="w, in units of tr(Σ) / m")


class Settings(_Section):
    """All settings of one variant."""

    seed: int = Field(1701, ge=0, lt=2**63, description="of every random number")
    device: Annotated[str, Field(pattern=r"^(cpu|cuda(:\d+)?)$")] = Field(
        "cpu", description="cpu or cuda"
    )
    dtype: Literal["float64", "float32"] = Field("float64", description="of the networks")
    data: Data = Data()
    model: Model = Model()
    train: Train = Train()
    covariance: Covariance = Covariance()
    width: Width = Width()
    select: Select = Select()
    compress: Compress = Compress()
    finetune: Train = Field(Train(), description="The same for the smaller network.")

    @model_validator(mode="after")
    def _chosen_widths_fit(self) -> Settings:
        chosen, widths = self.width.choose, self.model.widths
        if isinstance(chosen, tuple):
            if len(chosen) != len(widths):
                raise ValueError(
                    f"width.choose: expected {len(widths)} widths, one per hidden layer, "
                    f"got {len(chosen)}"
                )
            for layer, (kept, width) in enumerate(zip(chosen, widths, strict=True), start=1):
                if kept > width:
                    raise ValueError(
                        f"width.choose: expected at most {width} units in layer {layer}, got {kept}"
                    )
        return self


class ImageData(_Section):
    """Images in ten classes: a training set, a validation set cut from it, the test set."""

    kind: Literal["digits", "cifar10"] = Field("digits", description="which images")
    root: str | None = Field(None, description="folder of CIFAR-10's binary files")
    download: bool = Field(False, description="fetch CIFAR-10 into root if it is not there")
    reencoded: bool = Field(False, description="they were re-encoded with loss; tables say so")
    n_train: Positive | None = Field(None, description="training images; null: all that are left")
    n_validation: Positive = Field(287, description="validation images, cut from the training set")

    @model_validator(mode="after")
    def _root_for_files(self) -> ImageData:
        if (self.kind == "cifar10") != (self.root is not None):
            raise ValueError(f"expected a root for cifar10 and only there, got {self.root!r}")
        if self.download and self.root is None:
            raise ValueError("expected download only with a root")
        return self


class ImageModel(_Section):
    """A convolutional network."""

    kind: Literal["digits_cnn", "thesis_cnn", "resnet"] = Field(
        "digits_cnn", description="of image_networks.py"
    )
    depth: Positive = Field(20, description="of a resnet, 6n + 2")

    @model_validator(mode="after")
    def _depth_of_a_resnet(self) -> ImageModel:
        if self.depth < 8 or self.depth % 6 != 2:
            raise ValueError(f"expected a depth of 6n + 2 ≥ 8, got {self.depth}")
        return self


class ImageTrain(_Section):
    """Adam on the mean cross-entropy; the learning rate falls along a half cosine."""

    epochs: Positive = Field(30, description="passes over the training set")
    batch_size: Positive = Field(32, description="images per step; the last batch may be smaller")
    learning_rate: PositiveFloat = Field(1e-3, description="of Adam, at the start")
    augment: bool = Field(False, description="mirror and shift the images")
    precision: Literal["float32", "bfloat16"] = Field("float32", description="of the products")


class ImageCovariance(_Section):
    """Second moments of every group of channels, over training images."""

    n_images: Positive = Field(2000, description="calibration images; at most the training set")
    batch_size: Positive = Field(100, description="images at a time")
    flattened: bool = Field(True, description="also the spectra of whole layers, through n × n")


class Budget(_Section):
    """How the widths are chosen: exactly one of these."""

    keep: float | None = Field(None, gt=0, le=1, description="this share of every group")
    parameters: float | None = Field(
        None, gt=0, le=1, description="the exact widths within this share of the parameters"
    )
    flops: float | None = Field(
        None, gt=0, le=1, description="the same for multiply-accumulates of an image"
    )

    @model_validator(mode="after")
    def _one(self) -> Budget:
        if len(self.model_fields_set) != 1 or None in self.model_dump(exclude_unset=True).values():
            raise ValueError(
                "expected exactly one of keep, parameters, flops, got "
                f"{', '.join(sorted(self.model_fields_set)) or 'none'}"
            )
        return self


ImageChoice = Annotated[
    Annotated[Widths, Tag("widths")] | Annotated[Budget, Tag("rule")],
    Discriminator(lambda value: "widths" if isinstance(value, list | tuple) else "rule"),
]


class ImageWidth(_Section):
    """The width problem over ρ as in (4.2.3), and the widths to use."""

    regularizer: Literal["square", "abs"] = Field("abs", description="R(p) = p² or |p|")
    rho: Rho = Rho()
    choose: ImageChoice = Field(Budget(keep=0.5), description="explicit widths, or a rule")


class ImageSelect(_Section):
    """Greedy selection of channels (4.1.7)."""

    theta: float = Field(0.5, ge=0, le=1, description="θ: 1 channels alone, 0 what is read of them")
    tied: bool = Field(True, description="also channels tied by skip connections")


class ImageCompress(_Section):
    """The smaller network's weights (4.1.1)."""

    weights: Literal["slice", "reconstruct"] = Field(
        "reconstruct", description="drop columns, or fold A_J into the next layer"
    )
    ridge: float = Field(1e-6, ge=0, description="w, in units of tr(Σ) / m")
    intercept: bool = Field(False, description="estimate with a constant, too")
    refit: bool = Field(False, description="solve for every weight over its patches")
    sequential: bool = Field(False, description="estimate from the network pruned so far")
    rescale_dropout: bool = Field(False, description="dropout times the kept share")

    @model_validator(mode="after")
    def _slices_are_not_estimated(self) -> ImageCompress:
        if self.weights == "slice" and (self.intercept or self.refit or self.sequential):
            raise ValueError("expected weights: reconstruct for intercept, refit or sequential")
        return self


class ImageSettings(_Section):
    """All settings of one variant of an experiment on images."""

    seed: int = Field(1701, ge=0, lt=2**63, description="of every random number")
    device: Annotated[str, Field(pattern=r"^(cpu|cuda(:\d+)?)$")] = Field(
        "cpu", description="cpu or cuda"
    )
    data: ImageData = ImageData()
    model: ImageModel = ImageModel()
    train: ImageTrain = ImageTrain()
    covariance: ImageCovariance = ImageCovariance()
    width: ImageWidth = ImageWidth()
    select: ImageSelect = ImageSelect()
    compress: ImageCompress = ImageCompress()
    finetune: ImageTrain = Field(
        ImageTrain(epochs=3), description="The same for the smaller network."
    )

    @model_validator(mode="after")
    def _model_fits_data(self) -> ImageSettings:
        if (self.data.kind == "digits") != (self.model.kind == "digits_cnn"):
            raise ValueError(
                f"model.kind: expected digits_cnn for digits, thesis_cnn or resnet for cifar10, "
                f"got {self.model.kind} for {self.data.kind}"
            )
        return self


Share = Annotated[float, Field(gt=0, le=1)]


class Compare(_Section):
    """`compare`: other ways to prune, at the same widths, on the same networks."""

    networks: Annotated[int, Field(ge=2, le=1000)] = Field(3, description="trained from scratch")
    keep: Annotated[tuple[Share, ...], Field(strict=False)] = Field(
        (0.75, 0.5, 0.25), description="shares of every group to keep"
    )
    parameters: Annotated[tuple[Share, ...], Field(strict=False)] = Field(
        (0.25,), description="shares of the parameters, with the exact widths"
    )
    flops: Annotated[tuple[Share, ...], Field(strict=False)] = Field(
        (), description="shares of the multiply-accumulates, with the exact widths"
    )
    confidence: float = Field(0.95, gt=0, lt=1, description="of every interval")


class Rules(_Section):
    """When a claim of the thesis counts as holding; fixed before the study runs."""

    majority: float = Field(
        0.5, gt=0, lt=1, description="a share holds if its interval lies above this"
    )
    good_training_loss: PositiveFloat = Field(
        0.35, description="C2: a training loss below this is good (half of ln 2)"
    )
    explained: float = Field(
        0.95, gt=0, le=1, description="C5: share of the jumps that are the solver at its start"
    )
    usable: float = Field(
        0.95, gt=0, le=1, description="C10: share of layers and ρ with L^(A) ≤ 4λ"
    )
    slow_seconds: PositiveFloat = Field(
        60.0, description="C7, C8: what takes longer than this is expensive"
    )
    slow_gigabytes: PositiveFloat = Field(
        4.0, description="C8: what needs more memory than this is expensive"
    )


class Study(_Section):
    """The replication study."""

    n_population: Positive = Field(5000, description="draws that score every network")
    rho_num: Annotated[int, Field(ge=2)] = Field(19, description="values of ρ per sweep")
    confidence: float = Field(0.95, gt=0, lt=1, description="of every interval")
    resamples: Annotated[int, Field(ge=2, le=1_000_000)] = Field(
        2000, description="bootstrap resamples"
    )
    rules: Rules = Rules()


class _Resolved(BaseModel):
    model_config = ConfigDict(frozen=True)

    name: str

    def as_yaml(self) -> str:
        """The resolved settings, every default spelled out."""
        return yaml.safe_dump(
            self.model_dump(mode="json", exclude_none=True), sort_keys=False, allow_unicode=True
        )


class Config(_Resolved):
    """A resolved experiment on MINI."""

    variants: dict[str, Settings]
    study: Study = Study()


class ImageConfig(_Resolved):
    """A resolved experiment on images."""

    variants: dict[str, ImageSettings]
    compare: Compare = Compare()


def setting(settings: Settings | ImageSettings, key: str) -> Any:
    """The value of a dotted key as plain JSON data; None where the settings have no such key."""
    value: Any = settings.model_dump(mode="json")
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def load_config(path: Path, overrides: Sequence[str] = ()) -> Config | ImageConfig:
    """Read and check an experiment file.

    Parameters
    ----------
    path : Path
    overrides : sequence of "dotted.key=value"
        Applied last, to every variant; ``variants.<variant>.<key>=value`` to one.

    Raises
    ------
    ConfigError
        Naming the file, the key, what was expected and what came. Nothing is written.
    """
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(MAX_CHARACTERS + 1)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    if len(text) > MAX_CHARACTERS:
        raise ConfigError(f"{path}: expected at most {MAX_CHARACTERS} characters, got more")
    try:
        raw = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except _YAML_ERRORS as error:
        raise ConfigError(f"{path}: not valid YAML: {_one_line(error)}") from None
    return _resolved(str(path), raw, [_override(text) for text in overrides])


def _resolved(
    source: str, raw: Any, overrides: list[tuple[list[str], Any]]
) -> Config | ImageConfig:
    if raw is None:
        raise ConfigError(f"{source}: empty; expected name and variants")
    shared = _string_keyed(source, raw)
    name = _checked_name(source, "name", shared.pop("name", None))
    variants = shared.pop("variants", None)
    if not isinstance(variants, dict) or not variants:
        raise ConfigError(
            f"{source}: variants: expected a mapping from variant to the settings it changes, "
            f"got {_shown(variants)}"
        )
    specific = {
        _checked_name(source, "variants", key): _mapping(source, f"variants.{key}", value)
        for key, value in variants.items()
    }
    for key, value in overrides:
        if key == ["name"]:
            name = _checked_name("--set", "name", value)
        elif key[0] == "variants":
            if len(key) < 3 or key[1] not in specific:
                raise ConfigError(
                    f"--set: {'.'.join(key)}: expected variants.VARIANT.KEY with a variant of "
                    f"{', '.join(specific)}"
                )
            _put(specific[key[1]], key[2:], value)
        else:
            _put(shared, key, value)
            for settings in specific.values():
                _drop(settings, key)
    family: Any
    section_model: type[Study] | type[Compare]
    model: type[Settings] | type[ImageSettings]
    if _on_images(source, shared, specific):
        family, model, of_all, section_model = ImageConfig, ImageSettings, "compare", Compare
    else:
        family, model, of_all, section_model = Config, Settings, "study", Study
    raw_section = shared.pop(of_all, {})

    messages: list[str] = []
    resolved = {}
    for variant, settings in specific.items():
        try:
            resolved[variant] = model.model_validate(_merged(shared, settings))
        except ValidationError as error:
            messages += [_message(p, variant, settings, model) for p in error.errors()]
    section: Any = None
    try:
        section = section_model.model_validate(raw_section)
    except ValidationError as error:
        problems = [{**problem, "loc": (of_all, *problem["loc"])} for problem in error.errors()]
        messages += [_message(problem, "", {}, family) for problem in problems]
    if messages:
        set_keys = [".".join(key) for key, _ in overrides]
        lines: dict[str, None] = {}  # in order, without repeats
        for text in messages:
            where = f"{text.partition(':')[0]}."
            from_option = any(
                where.startswith(f"{key}.") or f"{key}.".startswith(where) for key in set_keys
            )
            lines[f"{'--set' if from_option else source}: {text}"] = None
        raise ConfigError("\n".join(lines))
    resolved_config: Config | ImageConfig = family(
        name=name, variants=resolved, **{of_all: section}
    )
    return resolved_config


def _on_images(
    source: str, shared: Mapping[str, Any], specific: Mapping[str, Mapping[str, Any]]
) -> bool:
    """Whether ``data.kind`` names images, in every variant or in none."""
    kinds = {}
    for variant, settings in specific.items():
        data = _merged(shared, settings).get("data")
        kinds[variant] = data.get("kind", "mini") if isinstance(data, dict) else "mini"
    for kind in kinds.values():
        if kind not in KINDS:
            raise ConfigError(
                f"{source}: data.kind: expected {', '.join(KINDS[:-1])} or {KINDS[-1]}, got "
                f"{_shown(kind)}"
            )
    if "mini" in kinds.values() and len(set(kinds.values())) > 1:
        raise ConfigError(
            f"{source}: data.kind: expected mini in every variant or in none, got "
            f"{', '.join(f'{kind} in {variant}' for variant, kind in kinds.items())}"
        )
    return "mini" not in kinds.values()


def _string_keyed(source: str, raw: Any, where: str = "") -> dict[str, Any]:
    """A copy in which every mapping's keys are known to be strings."""
    if not isinstance(raw, dict):
        raise ConfigError(
            f"{source}: {where or 'top level'}: expected a mapping, got {_shown(raw)}"
        )
    for key in raw:
        if not isinstance(key, str):
            raise ConfigError(f"{source}: {where}{'.' if where else ''}{key}: expected a string")
    return {
        key: _string_keyed(source, value, f"{where}.{key}".lstrip("."))
        if isinstance(value, dict)
        else value
        for key, value in raw.items()
    }


def _mapping(source: str, where: str, value: Any) -> dict[str, Any]:
    return {} if value is None else _string_keyed(source, value, where)


def _checked_name(source: str, key: str, name: Any) -> str:
    """A name that is safe as a folder on every system."""
    pattern, reserved = (VARIANT, RESERVED) if key == "variants" else (NAME, ())
    if not isinstance(name, str) or not re.fullmatch(pattern, name):
        raise ConfigError(
            f"{source}: {key}: expected a name of letters, digits, '.', '_' and '-' "
            f"(it becomes a folder), got {_shown(name)}"
        )
    if name in reserved:
        raise ConfigError(f"{source}: {key}: {name!r} is the name of another folder")
    return name


def _override(text: str) -> tuple[list[str], Any]:
    key, equals, value = text.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise ConfigError(f"--set: expected dotted.key=value, got {text!r}")
    try:
        parsed = yaml.load(value, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except _YAML_ERRORS as error:
        raise ConfigError(f"--set {key}: not valid YAML: {_one_line(error)}") from None
    return parts, parsed


def _put(settings: dict[str, Any], key: list[str], value: Any) -> None:
    for part in key[:-1]:
        inner = settings.get(part)
        if not isinstance(inner, dict) or part == "choose":  # replaced, as in a file
            inner = {}
        settings[part] = inner
        settings = inner
    settings[key[-1]] = value


def _drop(settings: dict[str, Any], key: list[str]) -> None:
    if "choose" in key:
        key = key[: key.index("choose") + 1]
    for part in key[:-1]:
        settings = settings.get(part, {})
        if not isinstance(settings, dict):
            return
    settings.pop(key[-1], None)


def _merged(shared: Mapping[str, Any], specific: Mapping[str, Any]) -> dict[str, Any]:
    """Sections merge key by key; everything else, ``choose`` too, is replaced."""
    merged = dict(shared)
    for key, value in specific.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if both and key != "choose" else value
    return merged


def _message(problem: Any, variant: str, specific: Mapping[str, Any], model: Any) -> str:
    """One line for one of pydantic's errors about ``model``."""
    location = [str(part) for part in problem["loc"]]
    if "choose" in location[:-1]:
        del location[location.index("choose") + 1]  # the union's tag is no key
    where = _where(location, variant, specific)
    context = problem.get("ctx", {})
    kind = problem["type"]
    if kind == "extra_forbidden":
        return f"{where}: unknown key{_suggestion(location, model)}"
    if kind == "value_error":  # one of our validators
        if location:
            return f"{where}: {context['error']}"
        key, _, text = str(context["error"]).partition(": ")
        return f"{_where(key.split('.'), variant, specific)}: {text}"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        rules = Budget if model is ImageSettings else Choose
        *others, last = rules.model_fields
        expected = (
            f"a list of widths, or a mapping with {', '.join(others)} or {last}"
            if location[-1] == "choose"
            else "a mapping"
        )
    else:
        expected = {
            "int_type": "an integer",
            "int_from_float": "an integer",
            "float_type": "a number",
            "finite_number": "a finite number",
            "bool_type": "true or false",
            "string_type": "a string",
            "tuple_type": "a list",
            "too_short": "at least one item",
            "string_pattern_mismatch": "cpu, cuda or cuda:N",
            "greater_than_equal": f"at least {context.get('ge', 0):g}",
            "greater_than": f"more than {context.get('gt', 0):g}",
            "less_than_equal": f"at most {context.get('le', 0):g}",
            "less_than": f"less than {context.get('lt', 0):g}",
            "literal_error": str(context.get("expected")),
        }.get(kind, problem["msg"])
    return f"{where}: expected {expected}, got {_shown(problem['input'])}"


def _where(location: Sequence[str], variant: str, specific: Mapping[str, Any]) -> str:
    """The dotted key, beginning with ``variants.<variant>`` where that is who set it."""
    inside: Any = specific
    for part in location:
        if isinstance(inside, dict) and part in inside:
            inside = inside[part]
        elif not isinstance(inside, list):
            break
    else:
        location = ["variants", variant, *location]
    return ".".join(part if part.isprintable() else repr(part) for part in location)


def _suggestion(location: Sequence[str], settings: Any) -> str:
    """The nearest key beside the unknown one, or the same key in another section."""
    model = settings
    for part in location[:-1]:
        inner = model.model_fields[part].annotation
        model = inner if part != "choose" else Budget if settings is ImageSettings else Choose
    top = {Settings: ("name", "variants", "study"), ImageSettings: ("name", "variants", "compare")}
    siblings = [*model.model_fields, *top.get(model, ())]
    close = difflib.get_close_matches(location[-1], siblings, n=1)
    if close and close[0] != location[-1]:
        return f"; did you mean '{close[0]}'?"
    elsewhere = [key for key in keys(settings) if key.rsplit(".", 1)[-1] == location[-1]]
    if elsewhere:
        return f"; did you mean '{elsewhere[0]}'?"
    return f"; expected one of {', '.join(model.model_fields)}"


def keys(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[str]:
    """Every dotted key of a model's sections."""
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from keys(inner, f"{prefix}{name}.")
        else:
            yield prefix + name


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


class _Loader(yaml.SafeLoader):
    """YAML as people expect it: no duplicate keys, no aliases, and 1e-3 is a number."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.YAMLError(f"aliases (*{event.anchor}) are not supported{event.start_mark}")
        if self.depth > MAX_DEPTH:
            raise yaml.YAMLError(f"nested more than {MAX_DEPTH} deep")
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = key_node.value
            if key in seen if isinstance(key, str) else False:
                line = key_node.start_mark.line + 1
                raise yaml.YAMLError(f"line {line}: key '{key}' appears twice")
            if isinstance(key, str):
                seen.add(key)
        return super().construct_mapping(node, deep)

    def flatten_mapping(self, node: Any) -> None:
        """No merge keys (<<): without aliases they mean nothing."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+0123456789."),
)
