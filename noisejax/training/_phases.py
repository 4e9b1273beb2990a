"""The phases of a run, each a compiled epoch over its own examples."""

import dataclasses
from collections.abc import Callable

import jax
import numpy as np
import optax
from flax import linen as nn
from jax import numpy as jnp
from jaxtyping import Array, Float, Int, UInt8

from noisejax import data
from noisejax.training._build import (
    build_model,
    expected_samples,
    steps_per_epoch,
)
from noisejax.training._config import Config
from noisejax.training._epoch import all_indices, make_epoch, make_evaluate
from noisejax.training._examples import (
    Prepared,
    check_examples,
    prepare_examples,
    split_examples,
)
from noisejax.training._mesh import Placement, build_placement
from noisejax.training._nonfinite import make_search
from noisejax.training._optimizer import build_optimizer, build_schedule
from noisejax.training._projection import Projection, check_rounds, make_projection
from noisejax.training._step import StepConfig, make_step
from noisejax.training._stream import is_streamed
from noisejax.training._streamed import make_streamed_epoch, make_streamed_evaluate
from noisejax.training._task import task_of

EVALUATION_BATCH = 1000

PHASE_FIELDS = {"train": "epochs", "retrain": "retrain_epochs"}
"""Phase -> the field that says how long it is."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Examples:
    """Arrays on the device; NumPy arrays where they are streamed.

    Attributes:
      x: examples, [N, *shape].
      y: labels, [N].
    """

    x: UInt8[Array, "..."] | Float[Array, "..."]
    y: Int[Array, " examples"]


@dataclasses.dataclass(frozen=True)
class Phase:
    """Epochs over the same examples under one learning-rate schedule.

    Attributes:
      name: "train" or "retrain".
      epochs: how many.
      offset: epochs of the phases before.
      indices: [N, n], the examples that each seed trains on.
      optimizer: of this phase.
      epoch: compiled, as `make_epoch` describes it.
      search: for a step that went wrong, as `make_search` describes it; None where the
        examples are made on the way, or streamed.
      projection: training on x*, too; None: on the examples only.
    """

    name: str
    epochs: int
    offset: int
    indices: Int[Array, "seeds n"]
    optimizer: optax.GradientTransformation
    epoch: Callable
    search: Callable | None
    projection: Projection | None = None

    @property
    def stride(self) -> int:
        """Epochs that are run at once, between two evaluations."""
        return 1 + self.projection.passes if self.projection else 1


@dataclasses.dataclass(frozen=True)
class Program:
    """All that a run computes with.

    Attributes:
      model: the network.
      seeds: int32 [N].
      seed_numbers: the same on the host.
      train: the training examples, validation included.
      test: the test examples.
      validation: [N, m], each seed's indices into `train`; m may be 0.
      phases: in order.
      evaluate: compiled, as `make_evaluate` describes it.
      prepared: the data set that the examples come from.
      placement: of its arrays over devices.
    """

    model: nn.Module
    seeds: Int[Array, " seeds"]
    seed_numbers: tuple[int, ...]
    train: Examples
    test: Examples
    validation: Int[Array, "seeds m"]
    phases: tuple[Phase, ...]
    evaluate: Callable
    prepared: Prepared
    placement: Placement


def build_program(config: Config, dataset: data.Dataset) -> Program:
    """Everything that can be wrong with a configuration is found here, untraced.

    Raises:
      ValueError: a rate out of range, a batch larger than the data, ...
    """
    training, objective = config.training, config.objective
    check_examples(config, dataset)
    prepared = prepare_examples(config, dataset)
    dataset, inverted = prepared.dataset, prepared.inverted
    placement = build_placement(config)
    projecting = training.mode == "back_projection"
    noisy = build_model(config, dataset.num_classes)
    model = noisy
    if projecting:
        model = build_model(config, dataset.num_classes, silent=True)
    seeds = training.seed + np.arange(training.num_seeds)
    n = len(dataset.train_x)
    split = split_examples(config, dataset, seeds)
    step_config = StepConfig(
        model=model,
        task=task_of(config.model.name),
        expected_samples=expected_samples(model),
        num_samples=objective.num_samples,
        # One sample is ordinary noisy training, whatever the strategy.
        strategy=objective.strategy if objective.num_samples > 1 else "fold",
        weighting=objective.weighting,
        max_norm=config.optimizer.max_norm,
        skip_nonfinite=training.on_nan == "skip",
        placement=placement,
        gradients=training.gradients,
        microbatches=training.microbatches,
    )

    streamed = is_streamed(config, dataset)

    def phase(name, epochs, offset, indices):
        steps = steps_per_epoch(indices.shape[1], training.batch_size)
        schedule = build_schedule(
            config.optimizer,
            epochs=epochs,
            steps_per_epoch=steps,
            warmup=offset == 0,
        )
        optimizer = build_optimizer(
            config.optimizer, schedule, batch_size=training.batch_size
        )
        step = make_step(step_config, optimizer)
        form = {
            "batch_size": training.batch_size,
            "inverted": inverted,
            "augment": config.data.augment,
        }
        projection = None
        if projecting:
            projection = make_projection(
                noisy.clone(input_noise=None),
                model,
                config.projection,
                inverted=inverted,
                epoch=make_epoch(
                    step,
                    batch_size=training.batch_size,
                    inverted=False,
                    shared=False,
                    placement=placement,
                ),
                placement=placement,
            )
            field = f"training.{PHASE_FIELDS[name]}"
            check_rounds(field, epochs, projection.passes)
        make = make_streamed_epoch if streamed else make_epoch
        search = None
        if not projection and not streamed:
            search = make_search(step_config, step, **form)
        return Phase(
            name=name,
            epochs=epochs,
            offset=offset,
            indices=on_devices(indices),
            optimizer=optimizer,
            epoch=make(step, **form, placement=placement),
            search=search,
            projection=projection,
        )

    def examples(x, y):
        if streamed:
            return Examples(x, y)
        return placement.everywhere(Examples(jnp.asarray(x), jnp.asarray(y)))

    def on_devices(indices):
        return indices if streamed else placement.by_seed(jnp.asarray(indices))

    train_indices = np.stack([train for train, _ in split])
    seeds = jnp.asarray(seeds, jnp.int32)
    phases = [phase("train", training.epochs, 0, train_indices)]
    if training.retrain_epochs:
        everything = np.asarray(all_indices(seeds, n))
        phases.append(
            phase("retrain", training.retrain_epochs, training.epochs, everything)
        )
    return Program(
        model=model,
        seeds=placement.by_seed(seeds),
        seed_numbers=tuple(int(seed) for seed in seeds),
        train=examples(dataset.train_x, dataset.train_y),
        test=examples(dataset.test_x, dataset.test_y),
        validation=on_devices(np.stack([v for _, v in split])),
        phases=tuple(phases),
        evaluate=(make_streamed_evaluate if streamed else make_evaluate)(
            step_config,
            batch_size=min(EVALUATION_BATCH, len(dataset.test_x)),
            inverted=inverted,
            placement=placement,
        ),
        prepared=prepared,
        placement=placement,
    )
