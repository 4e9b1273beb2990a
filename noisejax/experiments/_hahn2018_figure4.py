"""Hahn and Choi 2018, figures 4 and 5: the functions of gradient acceleration."""

from noisejax.experiments import _hahn2018 as shared
from noisejax.experiments._claims import Claim, level
from noisejax.experiments._experiment import Experiment, Row
from noisejax.experiments._scales import instant

EXPERIMENT = Experiment(
    name="hahn2018_figure4",
    title="The gradient acceleration function and its shapes (and figure 5)",
    paper=shared.PAPER,
    place="figures 4 and 5",
    kind="computed",
    rows=(
        Row("acceleration", "g(x), K = 10,000"),
        Row("tanh_shape", "the exponential shape, for tanh"),
        Row("relu_shape", "the shifted sigmoid shape, for ReLU"),
    ),
    scales={"smoke": instant(), "short": instant(), "paper": instant()},
    drawn=("acceleration", "shape"),
    metrics=(
        "acceleration/largest",
        "acceleration/slope",
        "shape/at_-8",
        "shape/at_0",
        "shape/at_8",
    ),
    measurements=("gaaf_functions",),
    figure="g(x) with tanh around 0; s(x) for tanh and for ReLU, with the slopes",
    protocol=("g(x) = (x K - floor(x K) - 0.5) / K with K = 10,000.",),
    ours=(
        "The shape functions are exp(-|x|) and sigmoid(x + 3). The paper prints no "
        "constants.",
    ),
    inconsistencies=("The text says that |g| is below 1/K; it is at most 0.5/K.",),
    claims=(
        Claim(
            "g does not change the value: |g| K is at most 0.5.",
            (level("acceleration", "acceleration/largest", high=0.5001),),
        ),
        Claim(
            "The slope of g is 1 almost everywhere.",
            (level("acceleration", "acceleration/slope", low=0.999, high=1.001),),
        ),
        Claim(
            "The shape functions are near 0 far from the bend of the activation.",
            (
                level("tanh_shape", "shape/at_-8", high=0.01),
                level("tanh_shape", "shape/at_8", high=0.01),
                level("relu_shape", "shape/at_-8", high=0.01),
            ),
        ),
    ),
)
