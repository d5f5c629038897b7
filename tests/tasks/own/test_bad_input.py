"""What is wrong with a network or samples of your own: one line, before anything is written."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from tests.tasks.own.examples import NETWORK, mini_exp, write_config, write_folders, write_image

ARRAYS = {"kind": "arrays", "train": "x.npz"}


def module(text: str) -> Callable[[], object]:
    return lambda: Path("my_network.py").write_text(NETWORK + text, encoding="utf-8")


def state(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[], object]:
    """``w.safetensors``: the network's weights, changed."""

    def write() -> None:
        namespace: dict[str, object] = {}
        exec(NETWORK, namespace)  # noqa: S102 - our own example
        network = namespace["build"]()  # type: ignore[operator]
        tensors = dict(network.state_dict())
        change(tensors)
        save_file(tensors, "w.safetensors")

    return write


def factory(name: str) -> dict[str, object]:
    return {"model": {"kind": "python", "factory": name}}


WEIGHTS = {"model": {"kind": "python", "factory": "my_network:build", "weights": "w.safetensors"}}
PT = {"model": {"kind": "python", "factory": "my_network:build", "weights": "w.pt"}}
NOTHING = lambda: None  # noqa: E731

# What is done, what the config says, what the line must say.
NETWORKS = {
    "no such module": (NOTHING, factory("nowhere:build"), "no module nowhere in "),
    "no such package": (NOTHING, factory("no.where:build"), "no module no.where in "),
    "no module of a package": (NOTHING, factory("torch.nowhere:build"), "no module torch.nowhere"),
    "no such function": (
        *(NOTHING, factory("my_network:built")),
        "my_network:built: the module my_network has no built",
    ),
    "no function": (
        *(module("\nsize = 3\n"), factory("my_network:size")),
        "my_network:size: expected a function, got 3",
    ),
    "a function that raises": (
        *(module("\ndef bad():\n    raise ValueError('no\\ngood')\n"), factory("my_network:bad")),
        "my_network:bad raised ValueError: no good; --debug shows where",
    ),
    "a function that leaves": (
        *(module("\ndef bad():\n    raise SystemExit(3)\n"), factory("my_network:bad")),
        "my_network:bad raised SystemExit: 3; --debug shows where",
    ),
    "a function that returns something else": (
        *(module("\ndef bad():\n    return 3\n"), factory("my_network:bad")),
        "expected it to return a torch.nn.Module, got int",
    ),
    "a function that returns a class": (
        *(NOTHING, factory("torch.nn:Module")),
        "the network has no parameters",
    ),
    "a module that raises": (
        *(module("\n1 / 0\n"), factory("my_network:build")),
        "importing my_network raised ZeroDivisionError: division by zero",
    ),
    "a module that cannot be parsed": (
        *(module("\ndef (\n"), factory("my_network:build")),
        "importing my_network raised SyntaxError: invalid syntax",
    ),
    "arguments that it does not take": (
        NOTHING,
        {"model": {"kind": "python", "factory": "my_network:build", "arguments": {"depth": 3}}},
        "my_network:build raised TypeError: ",
    ),
    "no weights there": (NOTHING, WEIGHTS, "model.weights: w.safetensors: no such file"),
    "weights that are none": (
        *(lambda: Path("w.safetensors").write_bytes(b"no weights at all"), WEIGHTS),
        "model.weights: w.safetensors: cannot be read: ",
    ),
    "a key that is missing": (
        *(state(lambda tensors: tensors.pop("classifier.0.weight")), WEIGHTS),
        "classifier.0.weight: expected shape (16, 64), got no such key",
    ),
    "a key too many": (
        *(state(lambda tensors: tensors.update(head=torch.zeros(3))), WEIGHTS),
        "does not fit the network: head: expected no such key, got shape (3,)",
    ),
    "another shape": (
        *(state(lambda tensors: tensors.update({"features.0.bias": torch.zeros(9)})), WEIGHTS),
        "does not fit the network: features.0.bias: expected shape (8,), got shape (9,)",
    ),
    "a whole network, pickled": (
        *(lambda: torch.save(nn.Linear(2, 3), "w.pt"), PT),
        "model.weights: w.pt: cannot be read: ",
    ),
    "a checkpoint with more in it": (
        *(lambda: torch.save({"epoch": 3, "state_dict": {}}, "w.pt"), PT),
        "expected a state dict of tensors, got int as 'epoch'; save network.state_dict() alone",
    ),
    "a list": (lambda: torch.save([1], "w.pt"), PT, "expected a state dict, got list"),
    "nothing in it": (
        lambda: torch.save({}, "w.pt"),
        PT,
        "expected a state dict of tensors, got no",
    ),
}


def broken(*names: str) -> Callable[[], object]:
    return lambda: [Path(name).write_bytes(b"no image") for name in names]


def cut_short(name: str) -> None:
    content = Path(name).read_bytes()
    Path(name).write_bytes(content[: len(content) // 2])


def emptied(name: str) -> None:
    shutil.rmtree(name)
    Path(name).mkdir()


FOLDERS = {
    "no such folder": ({"train": "nowhere"}, NOTHING, "data.train: nowhere: no such folder"),
    "no test folder": ({"test": "nowhere"}, NOTHING, "data.test: nowhere: no such folder"),
    "a file": ({"train": "own.yaml"}, NOTHING, "expected a folder of images, got a file"),
    "no images": ({}, lambda: emptied("train"), "data.train: train: expected images"),
    "an image that is none": (
        *({}, broken("train/pear/3.png")),
        "train/pear/3.png: cannot be read as an image: ",
    ),
    "two images that are none": (
        *({}, broken("train/pear/3.png", "train/plum/1.png")),
        "(2 of the 42 images in train)",
    ),
    "an image that is cut off": (
        *({}, lambda: cut_short("train/apple/2.png")),
        "train/apple/2.png: cannot be read as an image: ",
    ),
    "16 bits per channel": (
        {},
        lambda: Image.fromarray(np.full((16, 16), 999, np.uint16)).save("train/pear/3.png"),
        "train/pear/3.png: cannot be read as an image: expected 8 bits per channel, got mode I;16",
    ),
    "an empty image of the test set": (
        *({}, lambda: Path("test/apple/0.png").write_bytes(b"")),
        "(1 of the 18 images in test)",
    ),
    "a class in test only": (
        *({}, lambda: write_image(Path("test/kiwi/0.png"), 100)),
        "data.test: test: expected the classes of the training set, got 'kiwi', which is not in",
    ),
    "two classes in test only": (
        {},
        lambda: [write_image(Path(f"test/{name}/0.png"), 100) for name in ("kiwi", "lime")],
        "got 'kiwi', 'lime', which are not in train",
    ),
    "several sizes": (
        *({}, lambda: write_image(Path("train/plum/5.png"), 100, (16, 17))),
        "train/plum/5.png: expected all images to have one size, got 16 × 17 and 16 × 16 (train/",
    ),
    "several sizes although there is one to scale to": (
        *({"size": 8}, lambda: write_image(Path("test/plum/5.png"), 100, (9, 9))),
        "set data.size and data.mixed_sizes: true to scale and cut them",
    ),
    "test images of another size": (
        {},
        lambda: [write_image(path, 100, (20, 20)) for path in Path("test").rglob("*.png")],
        "data.test: expected images of the training images' size 16 × 16, got 20 × 20",
    ),
    "images beside classes": (
        *({}, lambda: write_image(Path("train/0.png"), 100)),
        "expected class folders or images, got both: 0.png stands beside the folder apple",
    ),
    "classes in one set only": (
        {"test": "test/apple"},
        NOTHING,
        "data.test: expected class folders in both sets or in none, got them in train and not in",
    ),
    "one image of a class": (
        {},
        lambda: (
            [path.unlink() for path in Path("train/plum").glob("1*.png") or ()]
            + [Path(f"train/plum/{i}.png").unlink() for i in range(2, 10)]
            + [Path("train/plum/0.png").unlink(), write_image(Path("train/plum/x.png"), 9)]
        ),
        "data.train: expected at least 2 samples of every class",
    ),
    "more validation images than there are": (
        *({"n_validation": 42}, NOTHING),
        "data.n_validation: expected at least 3 validation and 3 training samples",
    ),
    "fewer validation images than classes": (
        *({"n_validation": 2}, NOTHING),
        "(one per class) of the 42 that there are, got 2 and 40",
    ),
}


def arrays(**content: object) -> Callable[[], object]:
    return lambda: np.savez("x.npz", **content)  # type: ignore[arg-type]


X = np.random.default_rng(0).standard_normal((30, 5))
FILES = {
    "no such file": (NOTHING, "x.npz: no such file; write it with np.savez"),
    "another kind of file": (
        *(lambda: Path("x.npz").write_bytes(b"text"), "expected an npz file of plain arrays"),
    ),
    "objects": (*(arrays(x=np.array([None, 3], object)), "expected an npz file of plain arrays"),),
    "no x": (arrays(inputs=X), "expected arrays x and, for labels, y, got inputs"),
    "integers": (arrays(x=X.astype(int)), "x: expected floats or bytes of shape (n, …), got int64"),
    "one number per sample": (arrays(x=X[:, 0]), "got float64 (30,)"),
    "nothing in it": (arrays(x=X[:0]), "got float64 (0, 5)"),
    "NaN": (arrays(x=np.full((30, 5), np.nan)), "x: expected finite numbers, got NaN or infinity"),
    "fewer labels": (arrays(x=X, y=np.zeros(29, int)), "y: expected 30 classes (integers) or real"),
    "words as labels": (arrays(x=X, y=np.array(["a"] * 30)), "y: expected 30 classes"),
    "negative classes": (
        *(arrays(x=X, y=np.full(30, -1)), "y: expected classes 0, 1, … (integers)"),
    ),
    "infinite values": (arrays(x=X, y=np.full(30, np.inf)), "y: expected finite numbers"),
}


def check(capsys_free: Path, *said: str, code: int | tuple[int, ...] = (1, 2)) -> None:
    result = mini_exp("run", "own.yaml")
    assert result.exit_code in ((code,) if isinstance(code, int) else code), result.output
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert [text for text in said if text not in line] == []
    assert not (capsys_free / "results").exists()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("case", NETWORKS)
def test_a_bad_network(here, case):
    prepare, changes, said = NETWORKS[case]
    np.savez("x.npz", x=X, y=np.arange(30) % 3)
    write_config(here, data=ARRAYS, **changes)
    prepare()
    check(here, said, "model.", code=2)


@pytest.mark.parametrize("case", FOLDERS)
def test_a_bad_folder(here, case):
    changes, prepare, said = FOLDERS[case]
    write_folders(here)
    write_config(here, data={"kind": "folder", "train": "train", "test": "test", **changes})
    prepare()
    check(here, said)


@pytest.mark.parametrize("case", FILES)
def test_a_bad_file(here, case):
    prepare, said = FILES[case]
    write_config(here, data=ARRAYS, model={"kind": "python", "factory": "my_network:perceptron"})
    prepare()
    check(here, said, "x.npz", code=1)


@pytest.mark.parametrize(
    ("train", "test", "said"),
    [
        ({"x": X}, {"x": X[:, :4]}, "expected x of float64 (5,) as in x.npz, got float64 (4,)"),
        ({"x": X}, {"x": X.astype(np.float32)}, "expected x of float64 (5,)"),
        ({"x": X}, {"x": X, "y": np.zeros(30, int)}, "expected no labels as in x.npz, got classes"),
        (
            {"x": X, "y": X[:, 0]},
            {"x": X, "y": np.zeros(30, int)},
            "expected real values as in x.npz, got classes",
        ),
        (
            {"x": X, "y": np.arange(30) % 2},
            {"x": X, "y": np.arange(30) % 3},
            "expected the classes of the training set, got class 2, which is not in x.npz",
        ),
        ({"x": X, "y": X[:, :2]}, {"x": X, "y": X[:, :3]}, "expected y of shape (2,) per sample"),
    ],
)
def test_sets_that_do_not_fit_together(here, train, test, said):
    model = {"kind": "python", "factory": "my_network:perceptron"}
    write_config(here, data={**ARRAYS, "test": "t.npz"}, model=model)
    np.savez("x.npz", **train)
    np.savez("t.npz", **test)
    check(here, "data.test: t.npz: ", said, code=2)


def test_debug_shows_where_a_function_raised(here):
    write_config(here, data=ARRAYS, **factory("my_network:bad"))
    np.savez("x.npz", x=X, y=np.arange(30) % 3)
    module("\ndef bad():\n    raise ValueError('where')\n")()
    result = mini_exp("run", "own.yaml", "--debug")
    assert 'my_network.py", line' in result.stderr
    assert "in bad" in result.stderr


@pytest.mark.parametrize(
    "name",
    ["", "build", "my_network", "my_network:", ":build", "my network:build", "a:b:c", "a..b:c"],
)
def test_a_factory_is_a_module_and_a_function(here, name):
    write_config(here, **factory(name))
    result = mini_exp("validate", "own.yaml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "model.factory: expected module:function" in result.stderr
