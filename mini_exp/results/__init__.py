"""A results directory from Python: opened at once, each file read and checked when asked for.

::

    results = mini_exp.load_results("results/mini")
    results.table1                             # DataFrame
    variant = results["published"]
    variant.selection[1].index_set             # the units of layer 1 that stay
    x, y = variant.tensors["test"]
    logits = variant.finetuned(x)              # torch.nn.Module, in eval mode
    results.study.claims                       # DataFrame
"""

from mini_exp.results.comparison import Comparison
from mini_exp.results.results import Results, load_results
from mini_exp.results.study import Study
from mini_exp.results.variant import Variant

__all__ = ["Comparison", "Results", "Study", "Variant", "load_results"]
