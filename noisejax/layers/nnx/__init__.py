"""Noise layers for Flax NNX, under the names of those for Linen."""

from noisejax.layers.nnx._attention import NoisyAttention as NoisyAttention
from noisejax.layers.nnx._base import NoiseLayer as NoiseLayer
from noisejax.layers.nnx._control import control_noise as control_noise
from noisejax.layers.nnx._dropconnect import DropConnect as DropConnect
from noisejax.layers.nnx._dropout import Dropout as Dropout
from noisejax.layers.nnx._dropout import DropPath as DropPath
from noisejax.layers.nnx._dropout import RandomDropout as RandomDropout
from noisejax.layers.nnx._dropout import SpatialDropout as SpatialDropout
from noisejax.layers.nnx._functional import functional as functional
from noisejax.layers.nnx._gaussian import GaussianDropout as GaussianDropout
from noisejax.layers.nnx._gaussian import GaussianNoise as GaussianNoise
from noisejax.layers.nnx._noise import InvariantDropout as InvariantDropout
from noisejax.layers.nnx._noise import Noise as Noise
