"""Our experiment: noise scheme, shift, GAAF and samples, crossed on a transformer."""

from noisejax.experiments._claims import ERROR, Claim, better
from noisejax.experiments._experiment import Experiment, Row
from noisejax.experiments._factorial import cell, control
from noisejax.experiments._scales import Overrides, Scale, smoke

VIT: Overrides = {
    "data.name": "digits",
    "data.validation": 0.1,
    "model.name": "vit",
    "model.patch": 2,
    "model.blocks": 3,
    "model.token_width": 48,
    "model.heads": 4,
    "model.activation": "gelu",
    "noise.input_rate": 0.0,
    "noise.path_rate": 0.1,
    "optimizer.name": "adamw",
    "optimizer.learning_rate": 0.002,
    "optimizer.warmup_epochs": 3.0,
    "optimizer.weight_decay": 0.05,
    "optimizer.clip_norm": 1.0,
    "training.batch_size": 50,
    "training.epochs": 60,
}
"""A small ViT on images of 8 x 8 pixels: 16 patches and a class token."""

NO_NOISE: Overrides = {"noise.scheme": "none", "noise.path_rate": 0.0}


def at_all_sites(scheme: str, rate: float) -> Overrides:
    """Return noise at one rate, at every site of a block and on the embedding."""
    sites = ("hidden", "embedding", "attention", "residual")
    return {"noise.scheme": scheme} | {f"noise.{site}_rate": rate for site in sites}


SCHEMES = {
    "dropout": at_all_sites("dropout", 0.1),
    "random": at_all_sites("random_dropout", 0.193),
}
"""Noise schemes. The variance of the scaled mask is 1/9 for both."""


def _cell(scheme: str, shift: str, gaaf: str, samples: int) -> Row:
    label = f"{scheme}, {shift}, {gaaf}, S = {samples}"
    shifted = {"noise.shift": "hidden" if shift == "shift" else "none"}
    return cell((scheme, shift, gaaf), samples, label, {**SCHEMES[scheme], **shifted})


SMALL: Overrides = {"model.token_width": 8, "model.blocks": 1}
"""A network for the smoke scale."""

EXPERIMENT = Experiment(
    name="vit_factorial",
    title="Noise scheme x shift x GAAF x number of samples, on a vision transformer",
    paper="none: our own",
    place="none",
    kind="trained",
    rows=(
        *(
            _cell(scheme, shift, gaaf, samples)
            for scheme in SCHEMES
            for shift in ("plain", "shift")
            for gaaf in ("gelu", "gaaf")
            for samples in (1, 4)
        ),
        control("no_noise", "no noise", NO_NOISE),
    ),
    scales={
        "smoke": smoke(overrides=SMALL),
        "short": Scale(
            ("on the embedded digits; 60 epochs",),
            "about 50 minutes, one core (estimate)",
            num_seeds=3,
        ),
        "paper": Scale(
            ("on CIFAR-10 with augmentation; 200 epochs; 6 blocks of 192 units",),
            "about 20 hours, one H200 (estimate)",
            {
                "data.name": "cifar10",
                "data.augment": True,
                "model.patch": 4,
                "model.blocks": 6,
                "model.token_width": 192,
                "model.heads": 3,
                "training.epochs": 200,
                "training.batch_size": 128,
                "optimizer.learning_rate": 0.001,
            },
            num_seeds=5,
        ),
    },
    metrics=(ERROR,),
    base=VIT,
    design=("scheme", "shift", "gaaf", "samples"),
    figure="main effects and interactions with their standard errors",
    protocol=(
        "All rows share the network, data split, optimizer, number of epochs and "
        "seeds, so that effects are differences within a seed.",
    ),
    ours=(
        "All settings are ours. Noise is on the embedding, the attention weights, the "
        "outputs of attention and dense layers, and the hidden units. Every row except "
        "the control has drop path at a rate that rises to 0.1 with depth.",
        "Noise levels give the scaled masks the same variance, 1/9. Random dropout "
        "draws a level per image and site.",
        "Shifts are on the hidden units. GAAF is applied to GELU with the shifted "
        "sigmoid as shape function.",
    ),
    claims=(
        Claim(
            "Noise lowers the error of a small transformer (our question).",
            tuple(better(f"{s}_plain_gelu_s1", "control_no_noise") for s in SCHEMES),
        ),
    ),
)
