"""All layers, Linen and NNX, for the contract that every one of them keeps."""

from flax import nnx

from noisejax import layers, noise
from noisejax.layers import nnx as nnx_layers

ARGUMENTS = {
    "Noise": ((noise.RandomDropout(0.5),), {}),
    "Dropout": ((0.5,), {}),
    "RandomDropout": ((0.5,), {}),
    "InvariantDropout": ((0.5,), {"num_features": 6}),
    "SpatialDropout": ((0.5,), {}),
    "DropPath": ((0.5,), {}),
    "GaussianDropout": ((0.5,), {}),
    "GaussianNoise": ((0.5,), {}),
}
"""Name -> positional arguments, and the keyword arguments that NNX needs besides."""

RATED = [name for name in ARGUMENTS if name not in ("Noise", "GaussianNoise")]


def linen(name, **kwargs):
    args, _ = ARGUMENTS[name]
    return getattr(layers, name)(*args, **kwargs)


def of_nnx(name, seed=0, **kwargs):
    args, needed = ARGUMENTS[name]
    rngs = kwargs.pop("rngs", nnx.Rngs(seed))
    return getattr(nnx_layers, name)(*args, **(needed | kwargs), rngs=rngs)
