"""A results directory in Python, step by step: `python scripts/explore_results.py [results/mini]`.

What the tables say is computed once more from the arrays and networks behind them.
"""

from __future__ import annotations

import sys

import torch

from mini_exp import load_results
from mini_exp.errors import ArtifactError
from mini_exp.results import Results
from mini_exp.spectral.degrees_of_freedom import degrees_of_freedom, numerical_spectrum


def explore(results: Results) -> None:
    """Print Table 1, then recompute numbers of the last variant."""
    print(results)  # in a notebook, `results` alone shows the same as HTML tables
    variant = results[results.variants[-1]]
    print(f"\nMore of {variant.name}")

    # The degrees of freedom N(λ) of a layer (4.2.1), from its spectrum, for every ρ of the sweep.
    for number, (layer, spectrum) in enumerate(variant.width_spectra.items(), start=1):
        dof = degrees_of_freedom(numerical_spectrum(spectrum), variant.widths[f"lambda_{number}"])
        error = abs(dof - variant.widths[f"dof_{number}"]).max()
        print(f"layer {layer}: N(λ) from {dof[0]:.3f} to {dof[-1]:.3f}, error {error:.0e}")

    # The three networks on the test set. They are in eval mode and return logits.
    x, y = variant.tensors["test"]
    table1 = results.table1
    row = table1[(table1["protocol"] == variant.name) & (table1["measure"] == "accuracy")]
    for stage, network in (
        ("original", variant.original),
        ("compressed", variant.compressed),
        ("finetuned", variant.finetuned),
    ):
        with torch.no_grad():
            logits = network(x)
        answers = logits.argmax(dim=1) if logits.shape[1] > 1 else logits[:, 0] > 0
        accuracy = (answers == y).double().mean().item()
        print(f"{stage}: accuracy {accuracy:.4f}, Table 1 has {row[stage].item():.4f}")

    # Which units stay, and how much of their layer's information they carry.
    for layer, kept in variant.selection.items():
        ratio = kept.information_ratio[-1]
        print(
            f"layer {layer}: keeps {kept.width} units, 𝒞 = {ratio:.3f}: {kept.index_set.tolist()}"
        )


if __name__ == "__main__":
    try:
        explore(load_results(sys.argv[1] if len(sys.argv) > 1 else "results/mini"))
    except ArtifactError as error:
        sys.exit(str(error))
