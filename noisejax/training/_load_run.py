"""Load trained runs. The run folders are neither locked nor changed."""

import dataclasses
import os
import pathlib
import re
from typing import Any

import jax
import numpy as np
from absl import logging
from flax import linen as nn
from flax import traverse_util
from jax import numpy as jnp
from jaxtyping import Array, Float, PyTree, UInt8

from noisejax import data
from noisejax.training._batches import to_float
from noisejax.training._build import build_model
from noisejax.training._checkpoint import Checkpoint, recorded_info
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
from noisejax.training._files import RunFolder
from noisejax.training._mesh import ONE_DEVICE
from noisejax.training._program import put_examples
from noisejax.training._record import DATASET, check_same, restore_run
from noisejax.training._state import OUTPUT


@dataclasses.dataclass(frozen=True)
class TrainedRun:
    """Trained network and the data of the run.

    If the data are not available, the network can still be used, but any access to
    `dataset`, `train`, `test` or `prepared.dataset` raises a FileNotFoundError.

    Attributes:
      path: path of the run's folder.
      config: configuration of the run.
      dataset: data set before preprocessing.
      train: preprocessed training examples, including validation examples.
      test: preprocessed test examples.
      prepared: preparation of the examples.
      model: network, called as model.apply(variables, x, train=...) -> (outputs,
        activations).
      variables: {"params": ..., "batch_stats": ...} of one seed, at the epoch whose
        test error is reported.
      seed: seed of the variables.
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
        """Convert raw examples [B, ...] to network inputs, as in training."""
        return self.inputs(jnp.asarray(self.prepared.convert(np.asarray(x))))

    def inputs(
        self, x: UInt8[Array, "batch ..."] | Float[Array, "batch ..."]
    ) -> Float[Array, "batch ..."]:
        """Convert examples [B, ...] of `train` or `test` to network inputs."""
        return to_float(x, inverted=self.prepared.inverted)

    def pictures(self, x: Float[Array, "batch ..."]) -> Float[np.ndarray, "batch ..."]:
        """Convert network inputs [B, ...] to images [B, height, width, channels].

        Raises:
          ValueError: the examples are not images, or a preprocessing step has no
            inverse.
        """
        if len(self.dataset.shape) != 3:
            raise ValueError(
                f"the examples of {self.dataset.name} are not images; their shape is "
                f"{self.dataset.shape}"
            )
        if self.prepared.fitted.inverse is None:
            raise ValueError(
                f"data.preprocess={self.config.data.preprocess} cannot be inverted to "
                "images; only pca and standardise have an inverse"
            )
        return self.prepared.pictures(np.asarray(x))


def load_run(
    path: str | os.PathLike[str],
    *,
    data_dir: str | os.PathLike[str] | None = None,
    dataset: data.AnyDataset | None = None,
    seed: int | None = None,
) -> TrainedRun:
    """Load the network of a run.

    The network is that of the best epoch, or of the last epoch of retraining. Examples
    are preprocessed as in training. If the data are not available, only the network is
    loaded, with a warning.

    Args:
      path: run folder written by `train`.
      data_dir: TFDS data directory.
      dataset: data set; None: load the data set that the configuration names.
      seed: seed of the network; None: the first seed.

    Raises:
      FileNotFoundError: the folder contains no run, or an old run whose data are not
        available.
      ValueError: the run has no undamaged checkpoint or no such seed, or the data have
        changed since the training.
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
            f"{path} can be loaded only with its data, because the run is of an older "
            "version, or its preprocessing.npz is missing or damaged"
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
    """Load the data of a run, and compare them with the data of the training."""
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
    if isinstance(dataset, data.RealTargets) and "target_scale" in described:
        mean, scale = described["target_mean"], described["target_scale"]
        return dataset.with_scale(mean, scale)
    return dataset


def _variables(
    path: pathlib.Path,
    model: nn.Module,
    example: np.ndarray,
    checkpoint: Checkpoint,
    index: int,
) -> dict[str, PyTree[Array]]:
    """Extract the reported parameters of one seed from a checkpoint."""
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


def chosen_part(checkpoint: Checkpoint) -> str:
    """Return the part of a checkpoint that contains the reported parameters."""
    return ".state" if checkpoint.progress.phase else ".best"


def load_sources(
    config: Config, folder: RunFolder
) -> list[dict[str, PyTree[Array]]] | None:
    """Load the variables of every seed of the run that `training.init_from` names.

    If that run has other `data.classes`, the output layer is omitted.

    Args:
      config: configuration of the new run.
      folder: folder of the new run.

    Returns:
      {"params", "batch_stats"} of each seed; None if no run is named, or if `folder`
      contains a checkpoint.

    Raises:
      FileNotFoundError, ValueError: see `load_run`.
    """
    path = config.training.init_from
    if not path or recorded_info(folder.checkpoints_path) is not None:
        return None
    try:
        _, source, checkpoint = restore_run(path)
    except (FileNotFoundError, ValueError) as error:
        raise type(error)(f"training.init_from={path}: {error}") from error
    names = {}
    for collection in ("params", "batch_stats"):
        prefix = f"{chosen_part(checkpoint)}.{collection}["
        for name in checkpoint.arrays:
            is_output = f"['{OUTPUT}']" in name
            if is_output and source.data.classes != config.data.classes:
                continue
            if name.startswith(prefix):
                names[collection, *re.findall(r"\['(.*?)'\]", name)] = name
    return [
        {"params": {}, "batch_stats": {}}
        | traverse_util.unflatten_dict(
            {path: checkpoint.arrays[name][i] for path, name in names.items()}
        )
        for i in range(source.training.num_seeds)
    ]
