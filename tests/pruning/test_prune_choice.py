"""What the user says of which groups are pruned, by how much, and what is told of it."""

import pytest
import torch
from torch import nn

from mini_exp import load_pruned, prune, save_pruned
from mini_exp.errors import ConfigError, DomainError, MiniExpError
from tests.pruning.examples import assert_same, example, mlp, randomised, snapshot
from tests.pruning.forms.convolutional import mobile_net
from tests.pruning.pruned import assert_refused, images, n_parameters, vectors
from tests.pruning.zeroed import assert_pruned_right


@pytest.mark.parametrize(
    ("exclude", "left"),
    [
        ([], {"a", "b", "c"}),
        (["c"], {"a"}),
        (["e"], {"c"}),
        (["[be]"], {"c"}),
        (["out"], {"b", "c"}),
    ],
)
def test_groups_with_entries_in_an_excluded_module_stay(exclude, left, tmp_path):
    network, batches = example("nested")
    _, selection = assert_pruned_right(network, batches, tmp_path, exclude=exclude)
    assert set(selection.widths) == left
    reasons = {one.name: one.reason for one in selection.frozen}
    assert set(reasons) == {"a", "b", "c"} - left
    assert all(reason.endswith("is excluded") for reason in reasons.values())


def test_a_module_excludes_all_that_is_in_it():
    network, batches = example("post-activation")
    _, selection = prune(network, batches, keep=0.5, exclude=[network[4]])
    assert set(selection.widths) == {"3.conv1", "5.conv1"}


EXCLUDE = {
    "a name that is none": (["x.*"], r"prune: exclude: 'x\.\*': no such module in Sequential"),
    "a string": ("0", r"prune: exclude: expected a list of modules or names, got '0'"),
    "another network's module": ([nn.Linear(2, 2)], r"prune: exclude: .*no such module"),
    "a number": ([0], r"prune: exclude: 0: no such module"),
    "a module": (nn.Linear(2, 2), r"prune: exclude: expected a list of modules"),
}


@pytest.mark.parametrize(("exclude", "match"), EXCLUDE.values(), ids=EXCLUDE)
def test_what_cannot_be_excluded_is_refused(exclude, match, capfd):
    assert_refused(
        lambda: prune(mlp(), [vectors()], keep=0.5, exclude=exclude), ConfigError, match, capfd
    )


def test_nothing_is_left_where_all_is_excluded():
    with pytest.raises(DomainError, match=r"got none \(0: [02] is excluded; 2: 2 is"):
        prune(mlp(), [vectors()], keep=0.5, exclude=["0", "2"])


@pytest.mark.parametrize(
    ("keep", "widths"),
    [
        ({"0": 0.5}, [4, 7]),
        ({"*": 0.5}, [4, 4]),
        ({"*": 0.5, "2": 1.0}, [4, 7]),
        ({"2": 1.0, "*": 0.5}, [4, 4]),
        ({"[0-1]": 0.25, "2": 0.5}, [2, 4]),
    ],
)
def test_shares_by_pattern_of_which_the_last_that_fits_counts(keep, widths):
    _, selection = prune(mlp(), [vectors()], keep=keep)
    assert list(selection.widths.values()) == widths


@pytest.mark.parametrize(
    ("keep", "match"),
    [
        ({"x": 0.5}, "prune: keep: x: no such group; expected one of 0, 2"),
        ({"0": 1.5}, r"prune: keep: 0: expected a share in \(0, 1\], got 1.5"),
        ({0: 0.5, "2": "half"}, r"prune: keep: 2: expected a share in \(0, 1\], got 'half'"),
    ],
)
def test_shares_by_pattern_that_are_none(keep, match, capfd):
    assert_refused(lambda: prune(mlp(), [vectors()], keep=keep), MiniExpError, match, capfd)


@pytest.mark.parametrize("rule", [{"keep": 0.6}, {"information": 0.9}, {"parameters": 0.6}])
@pytest.mark.parametrize("multiple", [1, 2, 4])
def test_widths_are_multiples_where_something_is_removed(rule, multiple):
    network, batches = randomised(mobile_net()), [images().double()]
    smaller, selection = prune(network, batches, **rule, round_to=multiple)
    for kept in selection.groups:
        assert kept.width % multiple == 0 or kept.width == kept.group.width
    if "parameters" in rule:
        assert n_parameters(smaller, None) <= 0.6 * n_parameters(network, None)


def test_a_group_narrower_than_the_multiple_stays_whole():
    _, selection = prune(mlp(), [vectors()], keep=0.5, round_to=8)
    assert selection.widths == {"0": 8, "2": 7}


@pytest.mark.parametrize("multiple", [0, -8, 2.0, True, "8", None])
def test_a_multiple_that_is_none(multiple, capfd):
    assert_refused(
        lambda: prune(mlp(), [vectors()], keep=0.5, round_to=multiple),
        ConfigError,
        "prune: round_to: expected",
        capfd,
    )


FLAGS = ["tied", "heads", "entries", "strict", "rescale_dropout", "progress"]
FLAGS += ["intercept", "refit", "sequential"]


@pytest.mark.parametrize("value", [1, 0, "no", None, 1.0])
@pytest.mark.parametrize("flag", FLAGS)
def test_a_flag_is_true_or_false(flag, value, capfd):
    network = mlp()
    before = snapshot(network)
    assert_refused(
        lambda: prune(network, [vectors()], keep=0.5, **{flag: value}),
        DomainError,
        f"prune: {flag}: expected True or False, got {value!r}",
        capfd,
    )
    assert_same(before, snapshot(network))


def test_heads_and_entries_exclude_each_other():
    with pytest.raises(ConfigError, match="expected one of heads and entries, got both"):
        prune(mlp(), [vectors()], keep=0.5, heads=True, entries=True)


def test_batches_that_are_gone_through_are_told_on_stderr(capfd):
    prune(mlp(), [vectors(), vectors()], keep=0.5, progress=True)
    out, err = capfd.readouterr()
    assert not out
    assert "batch 2 of 2" in err


def test_a_printed_selection_shows_every_layer_before_and_after():
    network = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    network = nn.Sequential(*network, nn.Softmax(1), nn.Linear(5, 3))
    _, selection = prune(network, [images()], widths={"0": 3})
    assert str(selection).splitlines() == [
        "layer         width  parameters  multiply-accumulates",
        "0            4 -> 3    72 -> 54        2 592 -> 1 944",
        "3                 5  720 -> 540            720 -> 540",
        "5                 3          15                    15",
        "all weights          807 -> 609        3 327 -> 2 499",
        "left whole: 3 (5): 4: softmax over channels",
    ]


def test_what_is_told_of_a_selection_is_saved(tmp_path):
    network, batches = example("nested")
    smaller, selection = prune(network, batches, keep=0.5, exclude=["c"])
    save_pruned(smaller, selection, tmp_path)
    _, found = load_pruned(example("nested", seed=3)[0], tmp_path)
    assert str(found) == str(selection)
    assert found.frozen == selection.frozen
    assert found.agreement == selection.agreement < 1e-12


@pytest.mark.parametrize("form", [mobile_net, mlp])
def test_the_result_can_be_exported(form):
    network = form().eval()
    batch = images() if form is mobile_net else vectors()
    smaller, _ = prune(network, [batch], keep=0.5)
    exported = torch.export.export(smaller, (batch,))
    with torch.no_grad():
        torch.testing.assert_close(exported.module()(batch), smaller(batch))
