"""Schemes by name, for suites that run over all of them."""

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

CONTRACT = {
    name: SCHEMES[name]
    for name in (
        *("dropout", "dropout_8_bits", "random_dropout", "random_dropout_8_bits"),
        *("spatial_dropout", "drop_path", "gaussian_dropout_shared", "gaussian_noise"),
    )
} | {"random_dropout_unscaled": noise.RandomDropout(0.6, scale=False)}
"""One scheme of each kind, and one without a scale."""

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
