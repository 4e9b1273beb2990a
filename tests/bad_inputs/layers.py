"""Wrong arguments of layers, in Linen and NNX, and of networks."""

import functools

import numpy as np
from flax import linen as nn
from flax import nnx
from jax import numpy as jnp

from noisejax import layers, models, noise
from noisejax.layers import nnx as nnx_layers
from tests.bad_inputs.arrays import IMAGES, INTEGERS, X, key

DROPOUT = noise.Dropout(0.5)
SEQUENCES = np.ones((1, 3, 4), np.float32)


def linen(layer, x=X, **options):
    """Applies a Linen layer in training."""
    variables = layer.init(key(), jnp.ones_like(x, jnp.float32), deterministic=True)
    return layer.apply(
        variables, x, deterministic=False, rngs={"dropout": key()}, **options
    )


def rngs():
    return nnx.Rngs(0)


LINEN = {
    "Noise: a rate": (
        lambda: linen(layers.Noise(0.5)),
        "scheme must be a noise scheme",
    ),
    "Noise: an unknown shift": (
        lambda: linen(layers.Noise(DROPOUT, shift="mean")),
        "shift must be one of .* got 'mean'",
    ),
    "Noise: axes that are not there": (
        lambda: linen(layers.Noise(DROPOUT, shift=True, shift_axes=(3,))),
        r"shift_axes must be axes of the input, whose shape is \(4, 5\); got \(3,\)",
    ),
    "Dropout: a rate above 1": (
        lambda: linen(layers.Dropout(1.5)),
        r"must lie in \[0, 1\]?.*got 1.5",
    ),
    "Dropout: a word": (lambda: linen(layers.Dropout("0.5")), "rate.*got '0.5'"),
    "Dropout: integers": (lambda: linen(layers.Dropout(0.5), INTEGERS), "floating"),
    "Dropout: the rngs of NNX": (
        lambda: layers.Dropout(0.5, rngs=rngs()),
        "in an NNX model use noisejax.layers.nnx.Dropout",
    ),
    "Dropout: in an NNX model": (
        lambda: nnx.Sequential(layers.Dropout(0.5))(X),
        "In an NNX model use noisejax.layers.nnx.Dropout",
    ),
    "Dropout: a schedule without a step": (
        lambda: linen(layers.Dropout(lambda step: 0.5)),
        "is a schedule and needs the training step",
    ),
    "RandomDropout: more batch axes than axes": (
        lambda: linen(layers.RandomDropout(0.5, batch_dims=3)),
        "batch_dims=3 exceeds the 2 axes",
    ),
    "InvariantDropout: a negative rate": (
        lambda: linen(layers.InvariantDropout(-0.1)),
        "got -0.1",
    ),
    "GaussianDropout: a rate of 1": (
        lambda: linen(layers.GaussianDropout(1.0)),
        r"got 1.0",
    ),
    "GaussianNoise: a negative deviation": (
        lambda: linen(layers.GaussianNoise(-1.0)),
        "at least 0, got -1.0",
    ),
    "DropPath: nan": (lambda: linen(layers.DropPath(np.nan)), "got nan"),
    "SpatialDropout: a rate of 1": (
        lambda: linen(layers.SpatialDropout(1.5), IMAGES),
        "got 1.5",
    ),
    "DropConnect: a rate above 1": (
        lambda: linen(layers.DropConnect(3, 1.5)),
        "got 1.5",
    ),
    "NoisyAttention: a rate": (
        lambda: nn.MultiHeadDotProductAttention(
            2,
            dropout_rate=0.5,
            deterministic=False,
            attention_fn=layers.NoisyAttention(0.5),
        ).init(key(), SEQUENCES),
        "scheme must be a noise scheme",
    ),
    "functional: no module": (
        lambda: layers.functional(len),
        "takes a Linen module, got builtin_function_or_method; for an NNX",
    ),
    "replace_dropout: no module": (
        lambda: layers.replace_dropout(len, DROPOUT),
        "takes a Linen or NNX module, got builtin_function_or_method",
    ),
    "replace_dropout: a rate": (
        lambda: layers.replace_dropout(nn.Dropout(0.5), 0.5),
        "scheme must be a noise scheme",
    ),
    "fold_shifts: no module": (
        lambda: layers.fold_shifts(len, {}),
        "must be a Linen model, got builtin_function_or_method",
    ),
    "from_model: no module": (
        lambda: layers.from_model(len),
        "takes a Linen or NNX module, got builtin_function_or_method",
    ),
    "functional: an NNX module": (
        lambda: layers.functional(nnx_layers.Dropout(0.5)),
        "use noisejax.layers.nnx.functional",
    ),
    "control_noise: an unknown layer": (
        lambda: layers.functional(nn.Sequential([layers.Dropout(0.5)]), only="input")(
            {}, key(), X
        ),
        "'input' matches no noise layer",
    ),
}

NNX = {
    "Noise: a rate": (lambda: nnx_layers.Noise(0.5, rngs=rngs()), "scheme must be"),
    "Noise: a shift of unknown width": (
        lambda: nnx_layers.Noise(DROPOUT, shift=True, rngs=rngs()),
        "shift=True needs num_features",
    ),
    "Dropout: in a Linen model": (
        lambda: nn.Sequential([nnx_layers.Dropout(0.5, rngs=rngs())]).apply({}, X),
        "called in the Linen module Sequential.*use noisejax.layers.Dropout",
    ),
    "Dropout: a seed for rngs": (
        lambda: nnx_layers.Dropout(0.5, rngs=0),
        "rngs must be a Rngs, RngStream or None, but got <class 'int'>",
    ),
    "Dropout: a rate above 1": (
        lambda: nnx_layers.Dropout(1.5, rngs=rngs())(X, deterministic=False),
        "got 1.5",
    ),
    "Dropout: integers": (
        lambda: nnx_layers.Dropout(0.5, rngs=rngs())(INTEGERS, deterministic=False),
        "floating",
    ),
    "Dropout: a schedule without a step": (
        lambda: nnx_layers.Dropout(lambda step: 0.5, rngs=rngs())(
            X, deterministic=False
        ),
        "is a schedule and needs the training step",
    ),
    "RandomDropout: more batch axes than axes": (
        lambda: nnx_layers.RandomDropout(0.5, batch_dims=3, rngs=rngs())(
            X, deterministic=False
        ),
        "batch_dims=3 exceeds the 2 axes",
    ),
    "InvariantDropout: a shift of another width": (
        lambda: nnx_layers.InvariantDropout(0.5, num_features=3, rngs=rngs())(
            X, deterministic=False
        ),
        r"\(3,\)|\(4, 5\)",
    ),
    "GaussianDropout: a rate of 1": (
        lambda: nnx_layers.GaussianDropout(1.0, rngs=rngs())(X, deterministic=False),
        "got 1.0",
    ),
    "GaussianNoise: infinity": (
        lambda: nnx_layers.GaussianNoise(np.inf, rngs=rngs())(X, deterministic=False),
        "got inf",
    ),
    "DropPath: a negative rate": (
        lambda: nnx_layers.DropPath(-0.5, rngs=rngs())(X, deterministic=False),
        "got -0.5",
    ),
    "SpatialDropout: a word": (
        lambda: nnx_layers.SpatialDropout("a", rngs=rngs())(
            IMAGES, deterministic=False
        ),
        "got 'a'",
    ),
    "DropConnect: a rate above 1": (
        lambda: nnx_layers.DropConnect(5, 3, 1.5, rngs=rngs())(X, deterministic=False),
        "got 1.5",
    ),
    "NoisyAttention: a sample of another shape": (
        lambda: nnx_layers.NoisyAttention(sample=DROPOUT.sample(key(), (3, 3)))(
            *[SEQUENCES[:, :, None]] * 3, dropout_rate=0.5, deterministic=False
        ),
        "MaskSample.mask.*draw it with",
    ),
    "fold_shifts: no module": (
        lambda: nnx_layers.fold_shifts(len),
        "must be an NNX model, got builtin_function_or_method",
    ),
    "functional: a Linen module": (
        lambda: nnx_layers.functional(nn.Dense(3)),
        "for a Linen model use noisejax.layers.functional",
    ),
    "functional: a model without keys": (
        lambda: _functional(nnx.Linear(5, 3, rngs=rngs())),
        "key streams for nothing and its call has no argument",
    ),
    "control_noise: an unknown layer": (
        lambda: nnx_layers.control_noise(
            nnx_layers.Dropout(0.5, rngs=rngs()), only="input"
        ),
        "'input' matches no noise layer",
    ),
}


def _functional(model):
    apply, params = nnx_layers.functional(model)
    return apply(params, key(), X)


SMALL = functools.partial(models.MLP, num_outputs=2)

MODELS = {
    "MLP: schemes of another number": (
        lambda: SMALL((8, 8), hidden_noise=(DROPOUT,)).init(key(), X, train=False),
        "hidden_noise must be one scheme per .*got 1 for 2",
    ),
    "Autoencoder: schemes of another number": (
        lambda: models.Autoencoder((8,), hidden_noise=(DROPOUT,) * 3).init(
            key(), X, train=False
        ),
        "hidden_noise must be one scheme per .*got 3 for 1",
    ),
    "ConvNet: schemes of another number": (
        lambda: models.ConvNet(models.BA_CNN, 2, hidden_noise=(DROPOUT,)).init(
            key(), IMAGES, train=False
        ),
        "hidden_noise must be one scheme per",
    ),
    "SoftTargetMLP: schemes of another number": (
        lambda: models.SoftTargetMLP(2, 3, (8,), hidden_noise=(DROPOUT,) * 2).init(
            key(), X, train=False
        ),
        "hidden_noise must be one scheme per",
    ),
    "WideResNet: a depth between": (
        lambda: models.WideResNet(2, depth=11),
        r"depth must be 6 n \+ 4.*got 11",
    ),
    "WideResNet: no width": (
        lambda: models.WideResNet(2, depth=10, width_factor=0.0),
        "width_factor must be above 0, got 0.0",
    ),
    "Architecture: scaled by nothing": (
        lambda: models.BA_CNN.scaled(0.0),
        "scaled by a factor above 0, got 0.0",
    ),
    "Transformer: heads that do not divide": (
        lambda: models.Transformer(1, 8, 3),
        "heads that divide its width; got blocks=1, width=8, heads=3",
    ),
    "CaptionLSTM: captions of another number": (
        lambda: models.CaptionLSTM(9, 8).init(
            key(), X, jnp.zeros((3, 2), int), train=False
        ),
        r"must have the same B; got shapes \(4, 5\) and \(3, 2\)",
    ),
    "StackedAttention: no grid": (
        lambda: models.StackedAttention(9, 3, 8).init(
            key(), X, jnp.zeros((4, 2), int), train=False
        ),
        r"must have the same B; got shapes \(4, 5\) and \(4, 2\)",
    ),
    "beam_search: an end that is no word": (
        lambda: models.beam_search(
            lambda s, w: (s, X[w]), (), X, beams=1, length=2, end=5
        ),
        r"end in \[0, 5\); got beams=1, length=2, end=5",
    ),
    "Fusion: three streams": (
        lambda: models.Fusion((8,), 2).init(key(), jnp.ones((4, 3, 5)), train=False),
        r"two streams, .* got shape \(4, 3, 5\)",
    ),
    "ViT: images that patches do not divide": (
        lambda: models.ViT(1, 8, 2, 2, patch=7).init(key(), IMAGES, train=False),
        "multiples of patch=7; got shape",
    ),
    "maxout: pieces that do not divide": (
        lambda: models.maxout(X, 2),
        r"a multiple of pieces=2, got shape \(4, 5\)",
    ),
}
