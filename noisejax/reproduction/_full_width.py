"""Every row at the paper's size, as shapes: nothing is computed."""

import jax

from noisejax import data, training
from noisejax.experiments import Experiment, Row
from noisejax.reproduction._configuration import row_config


def check_full_width(experiment: Experiment, row: Row) -> int:
    """Builds a row's network at full width by `jax.eval_shape`.

    Returns:
      How many parameters it has.

    Raises:
      ValueError: the network cannot be built.
    """
    config = row_config(experiment, row, "paper")
    shape, num_classes = data.GENERATED_SHAPES[config.data.name]
    if "pca" in config.data.preprocess:
        shape = (config.data.components,)
    model = training.build_model(config, num_classes)
    params = jax.eval_shape(
        lambda key, x: model.init(key, x, train=False)["params"],
        jax.random.key(0),
        jax.ShapeDtypeStruct((1, *shape), "float32"),
    )
    return sum(leaf.size for leaf in jax.tree.leaves(params))
