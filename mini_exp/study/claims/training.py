"""C1 and C2: the network's size, and over-fitting."""

from __future__ import annotations

from mini_exp.report import thesis
from mini_exp.report.intervals import Interval
from mini_exp.study.claims.claim import FAILS, HOLDS, Claim, ruling
from mini_exp.study.variant_replicates import VariantReplicates
from mini_exp.tasks.mini.task import new_network


def c1_parameters(own: VariantReplicates) -> Claim | None:
    """Only the thesis's network without biases is asked."""
    settings = own.settings
    if settings.model.bias or not own.has_the_thesis_s_layers:
        return None
    count = new_network(settings.model, settings.data, settings.seed).n_parameters
    n = settings.data.n_train
    return ruling(
        "C1",
        "MiniModel without biases has 802 parameters, far more than the 100 training samples",
        own.variant,
        f"{count} parameters, {n} training samples",
        Interval(count, count, count),
        f"exactly {thesis.PARAMETERS}, and more than the samples",
        HOLDS if count == thesis.PARAMETERS and count > n else FAILS,
    )


def c2_over_fitting(own: VariantReplicates) -> Claim:
    """Good on the training set, worse than a constant on the population, and never at loss 0."""
    rules = own.study.rules
    train = own.column("original_train_loss")
    worse = own.column("original_population_loss") > own.column("constant_population_loss")
    share = own.share((train < rules.good_training_loss) & worse)
    return ruling(
        "C2",
        "training gives a good training loss but a poor test loss, and never reaches loss 0",
        own.variant,
        f"share of replicates that over-fit {share}; smallest training loss {train.min():.2g}, "
        f"mean {train.mean():.2g}",
        share,
        f"share with training loss below {rules.good_training_loss:g} and a population loss above "
        f"the constant predictor's: interval above {rules.majority:g}; every training loss above 0",
        HOLDS if share.low > rules.majority and train.min() > 0 else FAILS,
        "constant predictor",
    )
