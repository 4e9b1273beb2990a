"""A trained run, read back from its folder."""

import dataclasses
import os
import pathlib
from typing import Any

import jax
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float, PyTree, UInt8

from noisejax import data
from noisejax.training._check import check_config
from noisejax.training._config import Config, from_dict
from noisejax.training._epoch import to_float
from noisejax.training._examples import Prepared, load_examples
from noisejax.training._phases import Examples, build_program
from noisejax.training._run import newest_state
from noisejax.training._workdir import RunFolder, read_config


@dataclasses.dataclass(frozen=True)
class TrainedRun:
    """What a run trained, and on what.

    Attributes:
      path: of the run's folder.
      config: of the run.
      dataset: that it was trained and tested on, as it was loaded.
      train: the training examples, preprocessed, those held out for validation too.
      test: the test examples, likewise.
      prepared: how they were prepared.
      model: called as model.apply(variables, x, train=...) -> (outputs, activations).
      variables: {"params": ..., "batch_stats": ...} of one seed, of the epoch that its
        test error is reported for.
      seed: that one.
    """

    path: pathlib.Path
    config: Config
    dataset: data.Dataset | data.SoftTargets
    train: Examples
    test: Examples
    prepared: Prepared
    model: nn.Module
    variables: dict[str, PyTree[Array]]
    seed: int

    def inputs(
        self, x: UInt8[Array, "batch ..."] | Float[Array, "batch ..."]
    ) -> Float[Array, "batch ..."]:
        """What the network sees of examples [B, ...] out of `train` or `test`."""
        return to_float(x, inverted=self.prepared.inverted)

    def pictures(self, x: Float[Array, "batch ..."]) -> Float[np.ndarray, "batch ..."]:
        """Images [B, height, width, channels] of what the network sees, [B, ...].

        Raises:
          ValueError: the examples are no images, or a step of the preprocessing has no
            way back.
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
    path: str | os.PathLike,
    *,
    data_dir: str | os.PathLike | None = None,
    dataset: data.Dataset | data.SoftTargets | None = None,
    seed: int | None = None,
) -> TrainedRun:
    """Reads a run back: the network of its best epoch, or of the last retrained one.

    Args:
      path: the run's folder, as `train` left it.
      data_dir: the TFDS data directory.
      dataset: in place of the one that the run's configuration names.
      seed: of which network, where the run trained several; None: the first.

    Raises:
      FileNotFoundError: there is no run in the folder, or no data.
      ValueError: the run has no checkpoint yet, a damaged one, or no such seed.
    """
    folder = RunFolder(path)
    path = folder.path
    if not folder.config_path.is_file():
        raise FileNotFoundError(
            f"{path} holds no run (no config.json); make one with: python -m "
            f"noisejax.train --workdir={path}"
        )
    config = from_dict(read_config(folder.config_path))
    check_config(config)
    if dataset is None:
        dataset = load_examples(config, data_dir)
    program = build_program(config, dataset)
    seeds = [int(s) for s in program.seeds]
    if seed is not None and seed not in seeds:
        raise ValueError(
            f"{path} trained the seeds {', '.join(map(str, seeds))}; got seed {seed}"
        )
    state, progress, _ = newest_state(program, folder)
    if not progress.rows:
        raise ValueError(
            f"{path} has no checkpoint yet; continue it with: python -m noisejax.train "
            f"--workdir={path} --resume"
        )
    retraining = program.phases[progress.phase].name == "retrain"
    chosen: Any = state.state if retraining else state.best
    i = 0 if seed is None else seeds.index(seed)
    params, batch_stats = jax.tree.map(
        lambda leaf: leaf[i], (chosen.params, chosen.batch_stats)
    )
    variables = {"params": params, "batch_stats": batch_stats}
    return TrainedRun(
        path=path,
        config=config,
        dataset=dataset,
        train=program.train,
        test=program.test,
        prepared=program.prepared,
        model=program.model,
        variables=variables,
        seed=seeds[i],
    )
