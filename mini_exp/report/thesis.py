"""What the thesis printed (Sørby 2019, section 4.3): Table 1, what its Figures 1 and 4 show, and
the settings that it names."""

NAME = "thesis (2019)"
LOSS = {"original": 1.45, "compressed": 0.90, "finetuned": 0.87}
ACCURACY = {"original": 0.52, "compressed": 0.44, "finetuned": 0.60}
N_TEST = 99  # of the author's code

MODEL = (16, 12, 10)
PARAMETERS = 802  # of that network, without biases
EPOCHS = 200
RHO = (0.01, 0.1)
WIDTHS = (8, 3, 3)
JUMP = 0.09  # the ρ past which all widths are full

# What it says of a setting; where it is silent the author's code decides.
SETTINGS = {
    "data.n_train": "100 (section 4.3)",
    "data.epsilon": "0.1 (4.3.1)",
    "data.labels": "1 where X̄ ≥ −0.6 (4.3.1); the code swaps them",
    "model.widths": "16, 12, 10 (section 4.3)",
    "model.bias": "with or without (section 4.3)",
    "train.epochs": "200 (section 4.3)",
    "covariance.scale": "mean (appendix 8.1); its ρ needs the sum",
    "width.regularizer": "“for example” |p| (4.2.3); the code's default is p²",
    "width.rho.start": "0.01 (figure 1)",
    "width.rho.stop": "0.1 (figure 1)",
    "width.choose": "(8, 3, 3), read off figure 1",
    "select.scope": "the complement of J (4.1.2–4.1.4)",
}
