"""Hahn and Choi 2018, figures 3 and 6: distributions of pre-activations."""

from noisejax.experiments import _hahn2018 as shared
from noisejax.experiments._claims import Claim, Contrast, difference
from noisejax.experiments._experiment import Experiment

LAYERS = ("layer_1", "layer_2", "layer_3")

EXPERIMENT = Experiment(
    name="hahn2018_figure3",
    title="Pre-activations without noise, with dropout, with GAAF (and figure 6)",
    paper=shared.PAPER,
    place="figures 3 and 6",
    kind="measured",
    rows=(*(shared.method_row(method) for method in shared.METHODS), shared.DOUBLED),
    scales=shared.scales(),
    drawn=("share_saturated",),
    metrics=(
        *(f"share_saturated/{layer}" for layer in LAYERS),
        "sharpness/largest",
        "sharpness/residual",
    ),
    measurements=("net_values", "sharpness"),
    base=shared.BASE,
    figure="densities of the pre-activations of each layer, one curve per network",
    protocol=(
        *shared.PROTOCOL,
        "The figures show the pre-activations ('nets') of tanh units on the MNIST test "
        "set, after training.",
    ),
    ours=(
        *shared.OURS,
        "A pre-activation is saturated if phi' is below 0.1.",
        "The paper does not measure flatness. Our measure is the largest eigenvalue of "
        "the Hessian of the noise-free training loss; a small one means a flat region. "
        "For GAAF the Hessian is that of the network with plain tanh.",
        "We added a control without GAAF at twice the learning rate.",
    ),
    inconsistencies=(
        "The text says that figure 6 differs less than figure 3, but prints no numbers "
        "for either.",
    ),
    claims=(
        Claim(
            "Dropout pushes pre-activations towards saturation, and more so in higher "
            "layers.",
            (
                *(
                    difference("dropout", "base", f"share_saturated/{layer}", low=0.0)
                    for layer in LAYERS
                ),
                Contrast(
                    (
                        (1.0, "dropout", "share_saturated/layer_3"),
                        (-1.0, "base", "share_saturated/layer_3"),
                        (-1.0, "dropout", "share_saturated/layer_1"),
                        (1.0, "base", "share_saturated/layer_1"),
                    ),
                    low=0.0,
                ),
            ),
        ),
        Claim(
            "GAAF also pushes pre-activations towards saturation, but less than "
            "dropout.",
            tuple(
                difference(*pair, f"share_saturated/{layer}", low=0.0)
                for layer in LAYERS
                for pair in (("gaaf", "base"), ("dropout", "gaaf"))
            ),
        ),
        Claim(
            "Dropout and GAAF converge to flatter regions than the base model.",
            tuple(
                difference(method, "base", "sharpness/largest", high=0.0)
                for method in ("dropout", "gaaf")
            ),
        ),
    ),
)
