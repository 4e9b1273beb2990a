"""Trained runs, read back from their folders, which are neither locked nor changed."""

import dataclasses
import os
import pathlib
from typing import Any

import jax
import numpy as np
from absl import logging
from flax import linen as nn
from jax import numpy as jnp
from jaxtyping import Array, Float, PyTree, UInt8

from noisejax import data
from noisejax.training._batches import to_float
from noisejax.training._build import build_model
from noisejax.training._config import Config
from noisejax.training._examples import (
    Examples,
    MissingData,
    Prepared,
    check_examples,
    choose_examples,
    describe_dataset,
    fit_examples,
    load_examples,
    load_fitted,
    prepare_examples,
)
from noisejax.training._mesh import ONE_DEVICE
from noisejax.training._program import put_examples
from noisejax.training._read_run import chosen_part, restore_run
from noisejax.training._record import DATASET, check_same


@dataclasses.dataclass(frozen=True)
class TrainedRun:
    """A trained network and its data.

    If the data are not at hand, the network can be used all the same; `dataset`,
    `train`, `test` and `prepared.dataset` then raise a FileNotFoundError when used.

    Attributes:
      path: path of the run's folder.
      config: configuration of the run.
      dataset: data set as it was loaded.
      train: training examples, preprocessed; validation examples included.
      test: test examples, preprocessed.
      prepared: preparation of the examples.
      model: network, called as model.apply(variables, x, train=...) -> (outputs,
        activations).
      variables: {"params": ..., "batch_stats": ...} of one seed, at the epoch that its
        test error is reported for.
      seed: that seed.
    """

    path: pathlib.Path
    config: Config
    dataset: data.AnyDataset
    train: Examples
    test: Examples
    prepared: Prepared
    model: nn.Module
    variables: dict[str, PyTree[Array]]
    seed: int

    def prepare(
        self, x: UInt8[np.ndarray, "batch ..."] | Float[np.ndarray, "batch ..."]
    ) -> Float[Array, "batch ..."]:
        """Convert raw examples [B, ...] to network inputs, as fitted in training."""
        return self.inputs(jnp.asarray(self.prepared.convert(np.asarray(x))))

    def inputs(
        self, x: UInt8[Array, "batch ..."] | Float[Array, "batch ..."]
    ) -> Float[Array, "batch ..."]:
        """Convert examples [B, ...] of `train` or `test` to network inputs."""
        return to_float(x, inverted=self.prepared.inverted)

    def pictures(self, x: Float[Array, "batch ..."]) -> Float[np.ndarray, "batch ..."]:
        """Convert network inputs [B, ...] to images [B, height, width, channels].

        Raises:
          ValueError: the examples are no images, or a step of the preprocessing has no
            inverse.
        """
        if len(self.dataset.shape) != 3:
            raise ValueError(
                f"the examples of {self.dataset.name} are no images: their shape is "
                f"{self.dataset.shape}"
            )
        if self.prepared.pictures is None:
            raise ValueError(
                f"data.preprocess={self.config.data.preprocess} has no way back to "
                "images: gcn and zca lose what they take away; pca and standardise can "
                "be undone"
            )
        return self.prepared.pictures(np.asarray(x))


def load_run(
    path: str | os.PathLike[str],
    *,
    data_dir: str | os.PathLike[str] | None = None,
    dataset: data.AnyDataset | None = None,
    seed: int | None = None,
) -> TrainedRun:
    """Load the network of a run's best epoch, or of its last retrained one.

    Examples are preprocessed as they were in training. Without the data of the run its
    network is loaded alone, with a warning.

    Args:
      path: run folder, as `train` wrote it.
      data_dir: TFDS data directory.
      dataset: data set to use; None: the one that the configuration names.
      seed: seed of the network; None: the first.

    Raises:
      FileNotFoundError: the folder holds no run; or an older run without its data.
      ValueError: the run has no undamaged checkpoint or no such seed, or the named data
        have changed since it was trained.
    """
    folder, config, checkpoint = restore_run(path)
    path = folder.path
    first = config.training.seed
    seeds = range(first, first + config.training.num_seeds)
    if seed is not None and seed not in seeds:
        raise ValueError(
            f"{path} trained the seeds {', '.join(map(str, seeds))}; got seed {seed}"
        )
    described = checkpoint.run.get(DATASET, {})
    dataset = _find_dataset(path, config, described, data_dir, dataset)
    fitted, is_missing = load_fitted(folder, config), isinstance(dataset, MissingData)
    if is_missing and not ("shape" in described and fitted):
        raise FileNotFoundError(
            f"{path} can be loaded only with its data: it is of an older version, or "
            "has lost its preprocessing"
        )
    if not is_missing:
        check_examples(config, dataset)
        described = describe_dataset(dataset)
        fitted = fitted or fit_examples(config, dataset)
    outputs, shape = described["outputs"], tuple(described["shape"])
    prepared = prepare_examples(config, fitted, dataset, shape)
    train = test = dataset
    if not is_missing:
        train, test = put_examples(config, prepared.dataset, ONE_DEVICE)
    model = build_model(
        config,
        tuple(outputs) if isinstance(outputs, list) else outputs,
        with_noise=config.training.mode != "back_projection",
    )
    example = prepared.convert(np.zeros((1, *shape), np.float32))
    index = 0 if seed is None else seeds.index(seed)
    return TrainedRun(
        path=path,
        config=config,
        dataset=dataset,
        train=train,
        test=test,
        prepared=prepared,
        model=model,
        variables=_variables(path, model, example, checkpoint, index),
        seed=seeds[index],
    )


def _find_dataset(
    path: pathlib.Path,
    config: Config,
    described: dict[str, Any],
    data_dir: str | os.PathLike[str] | None,
    dataset: data.AnyDataset | None,
) -> data.AnyDataset | MissingData:
    """Load the data of a run, and compare them with those that it was trained on."""
    given = dataset is not None
    if given:
        dataset = choose_examples(config, dataset)
    else:
        try:
            dataset = load_examples(config, data_dir)
        except FileNotFoundError as error:
            logging.warning("loading the network of %s alone: %s", path, error)
            return MissingData(str(error))
    now = {k: v for k, v in describe_dataset(dataset).items() if k in described}
    try:
        check_same(path, {DATASET: described}, {DATASET: now})
    except ValueError as error:
        if not given:
            raise ValueError(
                f"the data of {path} have changed since it was trained: {error}. "
                "Restore them, or pass other data as `dataset`"
            ) from error
        logging.warning("%s was trained on other data: %s", path, error)
    return dataset


def _variables(
    path: pathlib.Path, model: nn.Module, example: np.ndarray, checkpoint, index: int
) -> dict[str, PyTree[Array]]:
    """Choose the reported parameters of one seed out of a checkpoint."""
    which = chosen_part(checkpoint)
    key = jax.random.key(0)
    like = jax.eval_shape(lambda: model.init(key, example, train=False))

    def choose(keys, leaf):
        collection, *rest = keys
        name = f"{which}.{collection.key}{jax.tree_util.keystr(tuple(rest))}"
        array = checkpoint.arrays.get(name)
        if array is None or array.shape[1:] != leaf.shape or len(array) <= index:
            raise ValueError(
                f"{path} holds another network: its {name} is "
                f"{'missing' if array is None else f'of shape {array.shape}'}"
            )
        return array[index]

    variables = jax.tree_util.tree_map_with_path(choose, like)
    return {
        "params": variables["params"],
        "batch_stats": variables.get("batch_stats", {}),
    }
