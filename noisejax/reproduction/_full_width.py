"""Every row at the paper's size, as shapes: nothing is computed."""

import dataclasses
import math

import jax

from noisejax import data, training
from noisejax.experiments import Experiment
from noisejax.reproduction._configuration import row_config


def check_full_width(experiment: Experiment) -> dict[str, int]:
    """Builds the network of every row at full width by `jax.eval_shape`.

    Rows of one network, which differ in how it is trained or in the noise's level, are
    built together.

    Returns:
      Row -> how many parameters it has.

    Raises:
      ValueError: a network cannot be built.
    """
    sizes: dict[str, int] = {}
    counts: dict[str, int] = {}
    for row in experiment.rows_at("paper"):
        config = row_config(experiment, row, "paper")
        training.check_config(config)
        network = repr((_shape(config), _network(config)))
        if network not in sizes:
            sizes[network] = _num_parameters(config)
        counts[row.name] = sizes[network]
    return counts


def _network(config: training.Config) -> dict:
    """What decides which parameters there are."""
    kept = dataclasses.replace(
        config.noise,
        input_rate=float(config.noise.input_rate > 0),
        hidden_rate=float(config.noise.hidden_rate > 0),
    )
    return {
        "model": dataclasses.asdict(config.model),
        "noise": dataclasses.asdict(kept),
        "precision": config.training.precision,
    }


def _shape(config: training.Config) -> tuple[tuple[int, ...], int | tuple[int, int]]:
    """Of an example, and the number of classes."""
    shape, num_classes = data.GENERATED_SHAPES[config.data.name]
    if "pca" in config.data.preprocess:
        shape = (config.data.components,)
    return shape, num_classes


def _num_parameters(config: training.Config) -> int:
    shape, num_classes = _shape(config)
    model = training.build_model(config, num_classes)
    params = jax.eval_shape(
        lambda key, x: model.init(key, x, train=False)["params"],
        jax.random.key(0),
        jax.ShapeDtypeStruct((1, *shape), "float32"),
    )
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))
