"""Untrained networks of all kinds, in the form of trained runs."""

import pathlib
import types

import jax
import numpy as np
from jax import numpy as jnp

from noisejax import data, evaluators, training

SIZES = evaluators.SampleSizes(
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
    """Returns a run of a network that was never trained.

    Args:
      sections: configuration: section -> field -> value.
      shape: shape of an example.
      examples: number of examples of each part.
      beta: value of all shifts.
      weights: False to leave out the weights of a deep network, which take long.
      num_classes: number of classes; of soft targets (tissues, outcomes).
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


def make_model(sections, **options):
    """Return an untrained network for the measurements."""
    return evaluators.from_run(make_run(sections, **options))
