"""Golden hashes of masks: a key gives the same mask in every version.

Changing one is a breaking change and belongs in CHANGELOG.md.
"""

import hashlib

import jax
import numpy as np

from noisejax import noise

SCHEMES = {
    "Dropout": noise.Dropout(0.3),
    "Dropout, 8 bits": noise.Dropout(0.3, bits=8),
    "RandomDropout": noise.RandomDropout(0.6),
    "RandomDropout, 8 bits": noise.RandomDropout(0.6, bits=8),
}
SHAPE = (16, 24)

HASHES = {
    "Dropout": "ff077832a67311fc",
    "Dropout, 8 bits": "4afaf8836ac857c5",
    "RandomDropout": "a9192bd4b3066b51",
    "RandomDropout, 8 bits": "a0226ba9b357359d",
}


def digest(sample: noise.Sample) -> str:
    """Return the first 16 digits of the SHA-256 of a sample's mask."""
    mask = np.asarray(jax.device_get(sample.mask))
    return hashlib.sha256(np.packbits(mask).tobytes()).hexdigest()[:16]
