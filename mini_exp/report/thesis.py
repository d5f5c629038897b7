"""What the thesis printed (Sørby 2019, section 4.3): Table 1, and what its Figures 1 and 4 show."""

NAME = "thesis (2019)"
LOSS = {"original": 1.45, "compressed": 0.90, "finetuned": 0.87}
ACCURACY = {"original": 0.52, "compressed": 0.44, "finetuned": 0.60}
N_TEST = 99  # of the author's code

MODEL = (16, 12, 10)
EPOCHS = 200
RHO = (0.01, 0.1)
WIDTHS = (8, 3, 3)
JUMP = 0.09  # the ρ past which all widths are full
