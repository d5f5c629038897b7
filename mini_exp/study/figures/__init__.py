"""The study's figures: many replicates of what the thesis shows once."""

from mini_exp.study.figures.distributions import table1_distributions
from mini_exp.study.figures.jump import jump
from mini_exp.study.figures.stages import stages
from mini_exp.study.figures.width_bands import widths_over_rho

__all__ = ["jump", "stages", "table1_distributions", "widths_over_rho"]
