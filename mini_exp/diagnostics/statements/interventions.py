"""W10 to W14: what the gain needs, and what else gives it."""

from __future__ import annotations

from mini_exp.diagnostics.evidence import CHOSEN, Evidence
from mini_exp.diagnostics.statements.statement import FAILS, HOLDS, LETTER, Question, Statement

TUNED = "4.3, Table 1: “even better after fine tuning”"


def uncentred(own: Evidence) -> Statement | None:
    """The gain of fine-tuning over the original, with and without the mean of the inputs."""
    return _gain_needs(
        own,
        "centred",
        "W10",
        "the gain in accuracy after fine-tuning needs inputs that are not centred",
        "first_width",
    )


def along_the_mean(own: Evidence) -> Statement | None:
    """The same with a rule that the mean of the inputs says nothing about."""
    return _gain_needs(
        own,
        "orthogonal",
        "W11",
        "the gain in accuracy after fine-tuning needs a rule along the mean of the inputs",
        "",
    )


def _gain_needs(
    own: Evidence, arm: str, number: str, statement: str, figure: str
) -> Statement | None:
    if not own.has_trials:
        return None
    question = Question(
        number,
        statement,
        TUNED,
        f"population accuracy, fine-tuned − original, of MINI as it is and {arm}; controls in "
        "both: the original with twice the epochs, units at random, the same widths from scratch",
        "holds if the gain as it is lies above 0, exceeds the other, and the other does not lie "
        "above 0; only in the letter if the other lies above 0 but is smaller; does not hold "
        "otherwise",
        figure,
    )
    width = own.thesis_width
    gains = {
        where: own.trial("finetuned", arm=where, width=width) - own.trial("original", arm=where)
        for where in ("as it is", arm)
    }
    as_it_is, changed = (own.mean(gain) for gain in gains.values())
    more = own.mean(gains["as it is"] - gains[arm])
    beside = {
        "original with twice the epochs": own.trial("original_twice", arm=arm),
        "random units": own.trial("random_finetuned", arm=arm, width=width),
        "from scratch": own.trial("scratch_twice", arm=arm, width=width),
    }
    tuned = own.trial("finetuned", arm=arm, width=width)
    levels = [own.mean(own.trial("original", arm=where)) for where in ("as it is", arm)]
    if not (as_it_is.low > 0 and more.low > 0):
        verdict = FAILS
    else:
        verdict = LETTER if changed.low > 0 else HOLDS
    return question.answered(
        own.variant,
        f"gain as it is {as_it_is}, {arm} {changed}, difference {more}; the original's own "
        f"accuracy {levels[0]} as it is, {levels[1]} {arm}; {arm}, fine-tuned − "
        + ", − ".join(f"{name} {own.mean(tuned - other)}" for name, other in beside.items()),
        more,
        verdict,
        as_it_is,
        changed,
    )


def one_unit(own: Evidence) -> Statement | None:
    """A first layer of one unit against that of the thesis."""
    if not own.has_trials or 1 not in own.diagnose.first_widths:
        return None
    width = own.thesis_width
    question = Question(
        "W12",
        f"a first layer narrowed to one unit does better than the {width} that were chosen",
        "4.3: “we select the architecture with layer widths (8, 3, 3)”",
        f"population accuracy after fine-tuning, first layer of 1 − of {width} units, the others "
        "as chosen; controls: one unit at random, one unit from scratch",
        "holds if the interval lies above 0 and those against both controls with one unit do; only "
        "in the letter if a control does as well",
        "first_width",
    )
    one = own.trial("finetuned", width=1)
    better = own.mean(one - own.trial("finetuned", width=width))
    random = own.mean(one - own.trial("random_finetuned", width=1))
    scratch = own.mean(one - own.trial("scratch_twice", width=1))
    if not better.low > 0:
        verdict = FAILS
    else:
        verdict = HOLDS if random.low > 0 and scratch.low > 0 else LETTER
    return question.answered(
        own.variant,
        f"one unit − {width} {better}; − one at random {random}; − one from scratch {scratch}",
        better,
        verdict,
    )


def weight_decay(own: Evidence) -> Statement | None:
    """No pruning at all, but weight decay."""
    if not own.has_trials:
        return None
    small = own.diagnose.rules.negligible
    strengths = ", ".join(f"{one:g}" for one in own.diagnose.weight_decay)
    question = Question(
        "W13",
        "weight decay does as well without pruning",
        "5: “compress it to achieve better performance”",
        f"population accuracy with weight decay (of {strengths} the one with the best accuracy on "
        "a draw for validation), whole network, as many epochs as both trainings together "
        "− pruned and fine-tuned; beside it the losses",
        f"holds if the interval lies above −{small:g}",
        "first_width",
    )
    width = own.thesis_width
    accuracy = own.mean(own.trial("decayed", decay=CHOSEN) - own.trial("finetuned", width=width))
    loss = own.mean(
        own.trial("decayed", "loss", decay=CHOSEN) - own.trial("finetuned", "loss", width=width)
    )
    plain = own.mean(own.trial("decayed", decay=CHOSEN) - own.trial("original_twice"))
    return question.answered(
        own.variant,
        f"accuracy {accuracy}, loss {loss}; accuracy − the original with twice the epochs {plain}",
        accuracy,
        HOLDS if accuracy.low > -small else FAILS,
    )


def more_epochs(own: Evidence) -> Statement | None:
    """Why the training loss is not 0."""
    if not own.has_trials:
        return None
    share = own.diagnose.rules.halved
    question = Question(
        "W14",
        "the training loss does not reach 0 for want of epochs",
        "4.3: “might indicate that we did not have enough parameters, data or run enough training "
        "epochs”",
        "training loss with twice the epochs, as a share of that with the thesis's; beside it the "
        "population loss",
        f"holds if the interval lies below {share:g}",
    )
    ratio = own.mean(
        own.trial("original_twice", "train_loss") / own.trial("original", "train_loss")
    )
    worse = own.mean(own.trial("original_twice", "loss") - own.trial("original", "loss"))
    return question.answered(
        own.variant,
        f"share {ratio}; the population loss changes by {worse}",
        ratio,
        HOLDS if ratio.high < share else FAILS,
    )
