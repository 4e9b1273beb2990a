"""All schemes, for the contract that every one of them keeps."""

from noisejax import noise

SCHEMES = {
    "dropout": noise.Dropout(0.3),
    "dropout_8_bits": noise.Dropout(0.3, bits=8),
    "dropout_shared": noise.Dropout(0.3, broadcast_dims=(1,)),
    "random_dropout": noise.RandomDropout(0.6),
    "random_dropout_8_bits": noise.RandomDropout(0.6, bits=8),
    "random_dropout_per_batch": noise.RandomDropout(0.6, batch_dims=0),
    "random_dropout_shared": noise.RandomDropout(0.6, broadcast_dims=(1,)),
    "spatial_dropout": noise.SpatialDropout(0.3),
    "drop_path": noise.DropPath(0.3),
    "gaussian_dropout": noise.GaussianDropout(0.3),
    "gaussian_dropout_shared": noise.GaussianDropout(0.3, broadcast_dims=(1,)),
    "gaussian_noise": noise.GaussianNoise(0.5),
}
"""Name -> scheme, for arrays of rank 3 or more."""

UNSCALED = {
    "dropout_unscaled": noise.Dropout(0.3, scale=False),
    "random_dropout_unscaled": noise.RandomDropout(0.6, scale=False),
    "spatial_dropout_unscaled": noise.SpatialDropout(0.3, scale=False),
    "drop_path_unscaled": noise.DropPath(0.3, scale=False),
}

SILENT = {
    "dropout": noise.Dropout(0.0),
    "dropout_8_bits": noise.Dropout(0.0, bits=8),
    "random_dropout": noise.RandomDropout(0.0),
    "random_dropout_8_bits": noise.RandomDropout(0.0, bits=8),
    "spatial_dropout": noise.SpatialDropout(0.0),
    "drop_path": noise.DropPath(0.0),
    "gaussian_dropout": noise.GaussianDropout(0.0),
    "gaussian_noise": noise.GaussianNoise(0.0),
}
"""The same at level 0."""
