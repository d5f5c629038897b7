"""`mini-exp` without what takes longest: no figure is drawn, costs are measured at small sizes."""

import functools
import os


def without_what_takes_longest():
    from mini_exp.study import costs
    from mini_exp.study import figures as study_figures
    from tests.blank_figures import leave_out_drawing

    os.fsync = lambda _: None
    leave_out_drawing(setattr)
    for name in ("table1_distributions", "stages", "widths_over_rho", "jump"):
        setattr(study_figures, name, lambda *_: None)
    costs.measured_costs = functools.partial(costs.measured_costs, 20, 10, 40, 64)


def main():
    from mini_exp.cli import main as command_line

    as_it_is = command_line.main

    def quick(**options):
        """Imports nothing before the command line itself would."""
        without_what_takes_longest()
        return as_it_is(**options)

    command_line.main = quick
    command_line(prog_name="mini-exp")


if __name__ == "__main__":
    main()
