"""Untrained networks of all kinds, as runs that were read back."""

import pathlib
import types

import jax
import numpy as np
from jax import numpy as jnp

from noisejax import data, training
from noisejax.measuring._amounts import Amounts
from noisejax.measuring._find_layers import network_of

AMOUNTS = Amounts(
    examples=6,
    gradients=4,
    chunk=3,
    num_draws=3,
    num_samples=4,
    iterations=2,
    rows=40,
    shares=20,
)


def make_run(
    sections, *, shape=(8, 8, 1), examples=8, beta=0.0, weights=True, num_classes=10
):
    """A run of a network that was never trained.

    Args:
      sections: of the configuration: section -> field -> value.
      shape: of an example.
      examples: of each part.
      beta: what shifts are, in place of 0.
      num_classes: of the output; of soft targets (tissues, outcomes).
      weights: whether they are needed; to draw those of deep networks takes long.
    """
    config = training.from_dict(sections)
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(2, examples, *shape)).astype(np.float32)
    y = (np.arange(examples) % 10).astype(np.int32)
    dataset = data.Dataset("made", x[0], y, x[1], y, 10)
    model = training.build_model(config, num_classes)
    init = jax.jit(lambda key, x: model.init(key, x, train=False))
    variables = init(jax.random.key(0), jnp.asarray(x[0])) if weights else {}
    variables = jax.tree.map_with_path(
        lambda path, leaf: leaf + beta if path[-1].key == "beta" else leaf, variables
    )
    prepared = types.SimpleNamespace(inverted=False)
    train, test = (types.SimpleNamespace(x=jnp.asarray(a), y=jnp.asarray(y)) for a in x)
    return training.TrainedRun(
        path=pathlib.Path("/made/up"),
        config=config,
        dataset=dataset,
        train=train,
        test=test,
        prepared=prepared,
        model=model,
        variables={"batch_stats": {}, **variables},
        seed=0,
    )


def make_network(sections, **options):
    return network_of(make_run(sections, **options))
