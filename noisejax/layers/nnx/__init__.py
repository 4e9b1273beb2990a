"""Noise layers for Flax NNX, with the names of the Linen layers."""

from noisejax.layers._attention import NoisyAttention as NoisyAttention
from noisejax.layers.nnx._base import NoiseLayer as NoiseLayer
from noisejax.layers.nnx._fold import fold_shifts as fold_shifts
from noisejax.layers.nnx._functional import control_noise as control_noise
from noisejax.layers.nnx._functional import functional as functional
from noisejax.layers.nnx._layers import DropConnect as DropConnect
from noisejax.layers.nnx._layers import Dropout as Dropout
from noisejax.layers.nnx._layers import DropPath as DropPath
from noisejax.layers.nnx._layers import GaussianDropout as GaussianDropout
from noisejax.layers.nnx._layers import GaussianNoise as GaussianNoise
from noisejax.layers.nnx._layers import InvariantDropout as InvariantDropout
from noisejax.layers.nnx._layers import Noise as Noise
from noisejax.layers.nnx._layers import RandomDropout as RandomDropout
from noisejax.layers.nnx._layers import SpatialDropout as SpatialDropout
