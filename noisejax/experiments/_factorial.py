"""Our experiment: the ideas of the four papers, crossed on one network."""

from noisejax.experiments import _ba2014 as ba2014
from noisejax.experiments._experiment import Experiment, Row
from noisejax.experiments._scales import Overrides, Scale, digits, smoke

SCHEMES: dict[str, Overrides] = {
    "dropout": ba2014.DROPOUT,
    "random": {
        "noise.scheme": "random_dropout",
        "noise.input_rate": 0.3714,
        "noise.hidden_rate": 0.7968,
    },
    "gaussian": {**ba2014.DROPOUT, "noise.scheme": "gaussian_dropout"},
}
"""Noise schemes. The variance of the scaled mask is 1/4 on the input, 1 elsewhere."""

SHIFTS = {"plain": "none", "shift": "both"}
ACCELERATION = ("plain", "gaaf")
SAMPLES = (1, 4)


def cell(
    names: tuple[str, str, str], samples: int, label: str, overrides: Overrides
) -> Row:
    """Return a row of the crossed design.

    Args:
      names: names of the scheme, the shift ("shift" if there is one) and the
        activation ("gaaf" for GAAF); they form the name of the row.
      samples: number of noise samples.
      label: label of the row.
      overrides: configuration fields of the scheme and the shift.
    """
    scheme, shift, gaaf = names
    return Row(
        f"{scheme}_{shift}_{gaaf}_s{samples}",
        label,
        {
            **overrides,
            "model.gaaf": gaaf == "gaaf",
            "objective.num_samples": samples,
        },
        factors={
            "scheme": scheme,
            "shift": shift == "shift",
            "gaaf": gaaf == "gaaf",
            "samples": samples,
        },
        ours=True,
    )


def _cell(scheme: str, shift: str, gaaf: str, samples: int) -> Row:
    label = f"{scheme}, shift {SHIFTS[shift]}, {gaaf} activation, S = {samples}"
    overrides = {**SCHEMES[scheme], "noise.shift": SHIFTS[shift]}
    return cell((scheme, shift, gaaf), samples, label, overrides)


def control(name: str, label: str, overrides: Overrides) -> Row:
    """Return a row outside the crossed design."""
    return Row(
        f"control_{name}", label, overrides, factors={"control": name}, ours=True
    )


CONTROLS = (
    control("no_noise", "no noise", {"noise.scheme": "none"}),
    control(
        "no_noise_gaaf", "no noise, GAAF", {"noise.scheme": "none", "model.gaaf": True}
    ),
    control(
        "back_projection",
        "trained on x and x* (dropout), S = 1",
        {**SCHEMES["dropout"], "training.mode": "back_projection"},
    ),
    control(
        "doubled_rate",
        "dropout, plain activation, learning rate doubled, S = 1",
        {**SCHEMES["dropout"], "optimizer.learning_rate": 0.1},
    ),
)
"""Rows outside the crossed design, which the effects do not use."""

EXPERIMENT = Experiment(
    name="factorial",
    title="Noise scheme x shift x GAAF x number of samples, on one network",
    paper="none: our own",
    place="none",
    kind="trained",
    rows=(
        *(
            _cell(scheme, shift, gaaf, samples)
            for scheme in SCHEMES
            for shift in SHIFTS
            for gaaf in ACCELERATION
            for samples in SAMPLES
        ),
        *CONTROLS,
    ),
    scales={
        "smoke": smoke(overrides={"training.epochs": 2}),
        "short": digits("about 8 minutes, two cores", num_seeds=5),
        "paper": Scale(
            ("on MNIST",), "about 4 hours, one H200 (estimate)", num_seeds=10
        ),
    },
    metrics=("test_error_percent",),
    base={
        **ba2014.MNIST_MLP,
        "objective.strategy": "fold",
        "optimizer.learning_rate": 0.05,
        "optimizer.momentum": 0.9,
        "training.epochs": 100,
    },
    design=("scheme", "shift", "gaaf", "samples"),
    figure="main effects and interactions with their standard errors",
    protocol=(
        "All rows share the network, data split, optimizer, number of epochs and "
        "seeds, so that effects are differences within a seed.",
    ),
    ours=(
        "All settings are ours. Noise levels have equal variances of the scaled mask: "
        "1/4 on the input and 1 on hidden layers.",
        "A main effect is the mean difference between two levels over all other cells. "
        "An interaction is half the difference of two effects. Standard errors are "
        "over seeds. Schemes are compared with dropout.",
        "The control with a doubled learning rate has 0.1 instead of 0.05.",
    ),
    claims=(),
)
