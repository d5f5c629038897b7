"""`mini-exp` without what takes longest: no figure is drawn, costs are measured at small sizes."""

import functools
import os


def leave_out_what_takes_longest(set_attribute):
    """``setattr``, or a patch's."""
    from mini_exp.study import pages, run
    from mini_exp.study.costs import measured_costs
    from tests.blank_figures import leave_out_drawing

    set_attribute(os, "fsync", lambda _: None)
    leave_out_drawing(set_attribute)
    for name in pages.FIGURES:
        set_attribute(pages.figures, name, lambda *_: None)
    set_attribute(run, "measured_costs", functools.partial(measured_costs, 20, 10, 40, 64))


def main():
    from mini_exp.cli import main as command_line

    as_it_is = command_line.main

    def quick(**options):
        """Imports nothing before the command line itself would."""
        leave_out_what_takes_longest(setattr)
        return as_it_is(**options)

    command_line.main = quick
    command_line(prog_name="mini-exp")


if __name__ == "__main__":
    main()
