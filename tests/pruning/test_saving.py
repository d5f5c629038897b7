import copy
import json

import pytest
import safetensors.torch
import torch
from torch import nn

from mini_exp import load_pruned, prune, save_pruned
from mini_exp.errors import ArtifactError
from tests.pruning.examples import NETWORKS, assert_same, example, outputs, snapshot

WEIGHTS, SELECTION = "network.safetensors", "selection.json"


def fresh(name):
    return example(name, seed=99)[0]


@pytest.fixture(scope="module")
def pruned():
    network, batches = example("cnn, batch norm")
    return (*prune(network, batches, keep=0.5), batches)


@pytest.fixture
def folder(pruned, tmp_path):
    save_pruned(*pruned[:2], tmp_path / "saved")
    return tmp_path / "saved"


def refused(folder, match, network=None):
    with pytest.raises(ArtifactError, match=match) as caught:
        load_pruned(network or fresh("cnn, batch norm"), folder)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize("options", [{}, {"intercept": True}], ids=str)
@pytest.mark.parametrize("name", NETWORKS)
def test_round_trip_bit_for_bit(name, options, tmp_path):
    network, batches = example(name)
    smaller, selection = prune(network, batches, keep=0.5, **options)
    save_pruned(smaller, selection, tmp_path)
    original = fresh(name)
    before = snapshot(original)
    loaded, found = load_pruned(original, tmp_path)
    assert_same(before, snapshot(original))
    assert_same({"state": smaller.state_dict()}, {"state": loaded.state_dict()})
    assert torch.equal(outputs(loaded, batches), outputs(smaller, batches))
    assert found.index_sets == selection.index_sets
    assert found.widths == selection.widths
    for ours, theirs in zip(found.groups, selection.groups, strict=True):
        assert ours.group == theirs.group
        assert ours.index_path.tolist() == theirs.index_path.tolist()
        assert ours.information_ratio.tolist() == theirs.information_ratio.tolist()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_other_types(dtype, tmp_path):
    network, batches = example("cnn")
    smaller, selection = prune(network.to(dtype), [x.to(dtype) for x in batches], keep=0.5)
    save_pruned(smaller, selection, tmp_path)
    loaded, _ = load_pruned(fresh("cnn").to(dtype), tmp_path)
    assert {parameter.dtype for parameter in loaded.parameters()} == {dtype}
    assert_same({"state": smaller.state_dict()}, {"state": loaded.state_dict()})


def test_a_fresh_network_of_another_type_rounds_nothing(pruned, folder):
    loaded, _ = load_pruned(fresh("cnn, batch norm").float(), folder)
    assert_same({"state": pruned[0].state_dict()}, {"state": loaded.state_dict()})


def test_fine_tuned(pruned, tmp_path):
    network, selection, batches = copy.deepcopy(pruned)
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    network(batches[0]).square().mean().backward()
    optimizer.step()
    network = network.to(memory_format=torch.channels_last)
    save_pruned(network, selection, tmp_path)
    loaded, _ = load_pruned(fresh("cnn, batch norm"), tmp_path)
    assert_same({"state": network.state_dict()}, {"state": loaded.state_dict()})
    loaded(batches[0]).sum().backward()


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_is_the_given_network_s(folder, training):
    loaded, _ = load_pruned(fresh("cnn, batch norm").train(training), folder)
    assert {module.training for module in loaded.modules()} == {training}


def test_rescaled_dropout_comes_back(tmp_path):
    network, batches = example("digits")
    smaller, selection = prune(network, batches, keep=0.5, rescale_dropout=True)
    save_pruned(smaller, selection, tmp_path)
    loaded, _ = load_pruned(fresh("digits"), tmp_path)
    assert loaded.dropout3.p == smaller.dropout3.p == 0.25


def test_a_network_without_memory_is_layout_enough(tmp_path):
    network, batches = example("mlp without bias")
    smaller, selection = prune(network, batches, keep=0.5, intercept=True)
    save_pruned(smaller, selection, tmp_path)
    loaded, _ = load_pruned(fresh("mlp without bias").to("meta"), tmp_path)
    assert {parameter.device.type for parameter in loaded.parameters()} == {"cpu"}
    assert torch.equal(outputs(loaded, batches), outputs(smaller, batches))


def test_the_files(folder):
    assert sorted(path.name for path in folder.iterdir()) == [WEIGHTS, SELECTION]
    groups = json.loads((folder / SELECTION).read_text(encoding="utf-8"))["layers"]
    assert [(group["name"], group["units"], len(group["indices"])) for group in groups] == [
        ("1", 6, 3),
        ("5", 5, 3),
    ]


def test_saving_again_replaces(pruned, folder):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    save_pruned(*pruned[:2], str(folder))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_file_in_the_place_of_the_folder(pruned, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtifactError, match=r"file/network.safetensors: cannot be written"):
        save_pruned(*pruned[:2], tmp_path / "file")
    refused(tmp_path / "file", "selection.json: cannot be read")


@pytest.mark.parametrize("name", [WEIGHTS, SELECTION])
def test_a_missing_file(folder, name):
    (folder / name).unlink()
    refused(folder, f"{name}: cannot be read: No such file")


def test_a_missing_folder(tmp_path):
    refused(tmp_path / "nowhere", "selection.json: cannot be read: No such file")


@pytest.mark.parametrize("name", [WEIGHTS, SELECTION])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_truncated_file(folder, name, share):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: int(share * len(content))])
    refused(folder, f"{name}: cannot be parsed")


@pytest.mark.parametrize(
    "content",
    [b"{}", b"[]", b"null", b"1", b"\xff\xfe", b'{"layers": 5}', b'{"layers": [1]}', b"[" * 10**5],
)
def test_a_selection_that_is_none(folder, content):
    (folder / SELECTION).write_bytes(content)
    refused(folder, "selection.json: cannot be parsed")


def change(folder, edit):
    path = folder / SELECTION
    selection = json.loads(path.read_text(encoding="utf-8"))
    edit(selection["layers"])
    path.write_text(json.dumps(selection), encoding="utf-8")


def reader_of(group):
    return group["readings"][0]["reader"]


EDITS = {
    "no group": lambda groups: groups.clear(),
    "a group less": lambda groups: groups.pop(),
    "a group more": lambda groups: groups.append(groups[0]),
    "no index": lambda groups: groups[0].update(indices=[]),
    "an index twice": lambda groups: groups[0].update(indices=[1, 1, 2]),
    "an index too large": lambda groups: groups[0].update(indices=[1, 2, 6]),
    "a negative index": lambda groups: groups[0].update(indices=[1, 2, -1]),
    "an index that is no number": lambda groups: groups[0].update(indices=[1, 2, "x"]),
    "a path that is none": lambda groups: groups[0].update(path=[0] * 6),
    "another beginning of the path": lambda groups: groups[0]["path"].reverse(),
    "a path shorter than the indices": lambda groups: groups[0]["path"].pop(),
    "a path longer than its information": lambda groups: groups[0]["path"].append(
        min(set(range(6)) - set(groups[0]["path"]))
    ),
    "half an index": lambda groups: groups[0].update(indices=[1.5, 2, 3]),
    "one index for all": lambda groups: groups[0].update(indices=3),
    "another number of indices": lambda groups: groups[0].update(indices=[1, 2]),
    "another width": lambda groups: groups[0].update(width=2),
    "other units": lambda groups: groups[0].update(units=7),
    "a negative number of units": lambda groups: groups[0].update(units=-6),
    "no such writer": lambda groups: groups[0].update(writers=["x"]),
    "a writer twice": lambda groups: groups[0].update(writers=["1.weight", "1.weight"]),
    "a writer without entries": lambda groups: groups[0].update(writers=["10.weight"]),
    "a slot twice": lambda groups: groups[0]["slots"].append(groups[0]["slots"][0]),
    "no slots": lambda groups: groups[0].update(slots=[]),
    "a slot less": lambda groups: groups[0]["slots"].pop(0),
    "no such tensor": lambda groups: groups[0]["slots"][0].update(tensor="x"),
    "another axis": lambda groups: groups[0]["slots"][0].update(axis=1),
    "an axis that is not there": lambda groups: groups[0]["slots"][0].update(axis=7),
    "another size": lambda groups: groups[0]["slots"][0].update(size=7),
    "an entry too large": lambda groups: groups[0]["slots"][0]["places"][0].append(6),
    "an entry of two channels": lambda groups: groups[0]["slots"][0]["places"][0].append(1),
    "entries of fewer channels": lambda groups: groups[0]["slots"][0]["places"].pop(),
    "a reader twice": lambda groups: groups[0]["readings"].append(groups[0]["readings"][0]),
    "no reader": lambda groups: groups[0].update(readings=[]),
    "no such reader": lambda groups: reader_of(groups[0]).update(weight="x"),
    "no positions": lambda groups: reader_of(groups[0]).update(positions=0),
    "other positions": lambda groups: reader_of(groups[1]).update(positions=2),
    "places of fewer channels": lambda groups: groups[0]["readings"][0]["places"].pop(),
    "a key less": lambda groups: groups[0].pop("readings"),
    "information of another length": lambda groups: groups[0].update(information=[1.0]),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_a_selection_that_does_not_fit(folder, edit):
    change(folder, edit)
    refused(folder, "selection.json|network.safetensors")


@pytest.mark.parametrize(
    "name", [name for name in NETWORKS if name not in ("cnn, batch norm", "digits")]
)
def test_another_network(folder, name):
    refused(folder, "another network|does not fit", fresh(name))


def test_a_pruned_network_in_the_place_of_a_fresh_one(pruned, folder):
    refused(folder, "another network.*before pruning", pruned[0])


def test_a_network_of_the_same_sizes_but_other_layers(folder):

    network = fresh("cnn, batch norm")
    network[1] = nn.ConvTranspose2d(2, 6, 3, bias=False)
    refused(folder, "another network|does not fit", network)


def test_a_weight_of_another_kernel(folder):
    network = fresh("cnn, batch norm")
    network[1] = nn.Conv2d(2, 6, 5, bias=False)
    refused(folder, "does not fit", network)


@pytest.mark.parametrize("name", ["1.weight", "2.running_var", "5.bias"])
def test_a_tensor_less(folder, name):
    state = safetensors.torch.load_file(folder / WEIGHTS)
    del state[name]
    safetensors.torch.save_file(state, folder / WEIGHTS)
    refused(folder, f"network.safetensors: does not fit.*{name}")


def test_a_tensor_more(folder):
    state = safetensors.torch.load_file(folder / WEIGHTS)
    safetensors.torch.save_file({**state, "spare": torch.ones(1)}, folder / WEIGHTS)
    refused(folder, "network.safetensors: does not fit.*spare")


def test_a_new_bias_of_another_length(folder):

    state = safetensors.torch.load_file(folder / WEIGHTS)
    state["1.bias"] = torch.ones(17, dtype=torch.float64)
    safetensors.torch.save_file(state, folder / WEIGHTS)
    refused(folder, "network.safetensors: does not fit")
