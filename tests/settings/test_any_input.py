"""Whatever comes, it is refused as our own error or accepted."""

from __future__ import annotations

from pathlib import Path

import yaml
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mini_exp.errors import MiniExpError
from mini_exp.settings.config import Config
from mini_exp.settings.reading import load_config
from mini_exp.settings.settings import Settings
from mini_exp.settings.walk import keys
from tests.settings.experiment_files import BASE

TOKENS = (
    *("name: x\n", "variants: ", "{a: {}}", "{a: ", "seed: ", "width: ", "choose: ", "train: "),
    *("- ", "? ", ": ", "\n", "\n  ", ", ", "[", "]", "{", "}", "'", '"', "|\n", ">\n", "---\n"),
    *("&s ", "*s", "<<: ", "!!int ", "!!float ", "!!bool ", "!!null ", "!!binary ", "!!set "),
    *("!!timestamp ", "!!omap ", "!!pairs ", "!!str ", "!x ", "~", "1", "1e400", ".nan", "0x"),
    *("2001-01-01", "2001-13-01", "1:30", "''", "text", "#", "%YAML 1.1\n", "\\", "\t", "="),
)
fuzz = hypothesis_settings(max_examples=100, deadline=None, derandomize=True)
texts = st.text(st.characters(codec="utf-8"))
tokens = st.lists(st.sampled_from(TOKENS), max_size=12).map("".join)
names = st.sampled_from(["digits", "cifar10", "thesis_cnn", "resnet", "bfloat16", "abs"])
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | names
words = st.sampled_from(sorted({part for key in keys(Settings) for part in key.split(".")}))
data = st.recursive(
    leaves | st.lists(leaves, max_size=3),
    lambda inner: st.dictionaries(words | st.text(max_size=5) | st.integers(), inner, max_size=4),
    max_leaves=12,
)


def is_config_or_our_error(path: Path, content: bytes, overrides: tuple[str, ...] = ()) -> bool:
    path.write_bytes(content)
    try:
        return isinstance(load_config(path, overrides), Config)
    except MiniExpError:
        return True


@fuzz
@given(content=st.binary() | (texts | tokens | tokens.map(BASE.__add__)).map(str.encode))
def test_any_text_is_accepted_or_refused_as_our_error(tmp_path_factory, content):
    assert is_config_or_our_error(tmp_path_factory.getbasetemp() / "fuzz.yaml", content)


@fuzz
@given(shared=st.dictionaries(words | st.text(max_size=5), data), variant=data)
def test_any_data_is_accepted_or_refused_as_our_error(tmp_path_factory, shared, variant):
    content = yaml.safe_dump({"name": "x", "variants": {"a": variant}, **shared}).encode()
    assert is_config_or_our_error(tmp_path_factory.getbasetemp() / "fuzz.yaml", content)


@fuzz
@given(
    key=texts
    | st.sampled_from([*keys(Settings), "name", "variants", "variants.a", "variants.a.seed"]),
    value=texts | tokens | data.map(yaml.safe_dump),
)
def test_any_override_is_accepted_or_refused_as_our_error(tmp_path_factory, key, value):
    path = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    assert is_config_or_our_error(path, BASE.encode(), (f"{key}={value}",))
