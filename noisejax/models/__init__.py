"""Linen networks; each returns (output, activations by name)."""

from noisejax.models._autoencoder import Autoencoder as Autoencoder
from noisejax.models._mlp import MLP as MLP
from noisejax.models._mlp import Activations as Activations
from noisejax.models._precision import bfloat16_products as bfloat16_products
