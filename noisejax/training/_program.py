"""Build the program of a run from a configuration and a data set.

Functions that this module calls to make steps take plain arguments, not configurations.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import optax
from flax import linen as nn
from jax import numpy as jnp
from jaxtyping import Array, Int

from noisejax import data, objectives
from noisejax.training._batches import Batches, is_streamed, prepare_inputs, to_float
from noisejax.training._build import (
    build_model,
    build_noise_factor,
    build_task,
    choose_strategy,
    steps_per_epoch,
)
from noisejax.training._config import Config
from noisejax.training._epoch import Steps, make_evaluate, make_steps
from noisejax.training._examples import (
    Examples,
    Prepared,
    check_examples,
    fit_examples,
    prepare_examples,
    split_examples,
)
from noisejax.training._mesh import Placement, build_placement
from noisejax.training._optimizer import build_optimizer, build_schedule, train_only
from noisejax.training._projection import Project, make_project
from noisejax.training._state import Seeds
from noisejax.training._step import make_log_prob, make_step
from noisejax.training._task import Task

EVALUATION_BATCH = 1000

INDEPENDENT = 16
"""Number of examples that `check_independence` uses."""

STEPS_PER_CALL = 32
"""Default on accelerators, where launching calls dominates for small networks."""


@dataclasses.dataclass(frozen=True)
class Phase:
    """Group of epochs with the same examples and one learning-rate schedule.

    Attributes:
      name: "train" or "retrain".
      epochs: number of epochs.
      offset: number of epochs of earlier phases.
      batches: batches of an epoch.
      optimizer: optimizer of this phase.
      steps: compiled steps on examples.
      star_steps: compiled steps on x*, which is neither inverted nor augmented.
    """

    name: str
    epochs: int
    offset: int
    batches: Batches
    optimizer: optax.GradientTransformation
    steps: Steps
    star_steps: Steps


@dataclasses.dataclass(frozen=True)
class Program:
    """Network, data, compiled functions and constants of a run.

    Attributes:
      model: network.
      task: likelihood and error of the outputs.
      seeds: seeds on the device, int32 [seeds].
      seed_numbers: seeds on the host.
      train: training examples, validation included.
      test: test examples.
      validation: indices of the validation examples, [seeds, m]; m may be 0.
      phases: phases, in order.
      evaluate: function of `make_evaluate`.
      project: search for x*, see `make_project`; None to train on examples only.
      passes: number of epochs on x* per round; 0 without a search for x*.
      prepared: preparation of the examples.
      placement: sharding of the arrays.
      steps_per_call: largest number of steps of a compiled call.
      microbatches: number of parts of a batch.
      save_steps: number of steps between checkpoints within an epoch; 0: no such
        checkpoints.
      patience: epochs without improvement before a seed stops; 0: never stop.
      centres: True to initialise learned shifts with minus the mean activities.
      skips: True to skip steps with values that are not finite.
    """

    model: nn.Module
    task: Task
    seeds: Int[Array, " seeds"]
    seed_numbers: tuple[int, ...]
    train: Examples
    test: Examples
    validation: Int[Array, "seeds m"]
    phases: tuple[Phase, ...]
    evaluate: Callable[..., dict[str, Any]]
    project: Project | None
    passes: int
    prepared: Prepared
    placement: Placement
    steps_per_call: int
    microbatches: int
    save_steps: int
    patience: int
    centres: bool
    skips: bool


def build_program(
    config: Config,
    dataset: data.AnyDataset,
    fitted: data.Preprocessing | None = None,
) -> Program:
    """Build the program of a run.

    Args:
      config: configuration of the run.
      dataset: data set, not preprocessed.
      fitted: fitted preprocessing; None: fit the preprocessing on the data set.

    Raises:
      ValueError: the configuration does not match the data or the devices.
    """
    training = config.training
    check_examples(config, dataset)
    fitted = fitted or fit_examples(config, dataset)
    prepared = prepare_examples(config, fitted, dataset, dataset.shape)
    dataset = prepared.dataset
    placement = build_placement(config)
    projects = training.mode == "back_projection"
    model = noisy = build_model(config, dataset.num_classes)
    if projects:
        model = build_model(config, dataset.num_classes, with_noise=False)
    train, test = put_examples(config, dataset, placement)
    numbers = training.seed + np.arange(training.num_seeds, dtype=np.int32)
    split = split_examples(config, dataset, numbers)
    everything = np.arange(len(dataset.train_x), dtype=np.int32)
    seeds = placement.put_by_seed(jnp.asarray(numbers))

    def batches(indices):
        indices = placement.put_by_seed(jnp.asarray(np.stack(indices)))
        size = training.batch_size
        return Batches(train.x, train.y, indices, seeds, size, placement)

    passes, project, inverted = 0, None, prepared.inverted
    if projects:
        passes = model.num_hidden_sites if config.projection.per_layer else 1
        for field in ("epochs", "retrain_epochs"):
            if getattr(training, field) % (1 + passes):
                raise ValueError(
                    f"training.{field} must be a multiple of {1 + passes}, got "
                    f"{getattr(training, field)}; a round of training.mode="
                    f"back_projection has one epoch on x and {passes} on x*"
                )
        project = make_project(
            noisy.clone(input_noise=None),
            model,
            **dataclasses.asdict(config.projection),
            inverted=inverted,
            placement=placement,
        )
    chosen, retrained = [rows for rows, _ in split], [everything] * len(split)
    phases = (
        ("train", training.epochs, 0, batches(chosen)),
        ("retrain", training.retrain_epochs, training.epochs, batches(retrained)),
    )
    task = build_task(config)
    return Program(
        model=model,
        task=task,
        seeds=seeds,
        seed_numbers=tuple(numbers.tolist()),
        train=train,
        test=test,
        validation=batches([held_out for _, held_out in split]).indices,
        phases=tuple(
            _build_phase(config, model, inverted, *phase)
            for phase in phases
            if phase[1]
        ),
        evaluate=make_evaluate(
            model,
            task,
            batch_size=min(EVALUATION_BATCH, len(dataset.test_x)),
            inverted=inverted,
            placement=placement,
        ),
        project=project,
        passes=passes,
        prepared=prepared,
        placement=placement,
        steps_per_call=training.steps_per_call
        or (1 if jax.default_backend() == "cpu" else STEPS_PER_CALL),
        microbatches=training.microbatches,
        save_steps=training.checkpoint_steps,
        patience=training.patience,
        centres=config.noise.shift_start == "minus_mean",
        skips=training.on_nan == "skip",
    )


def put_examples(
    config: Config, dataset: data.Dataset, placement: Placement
) -> tuple[Examples, Examples]:
    """Put training and test examples on the devices, unless they are streamed."""
    train = Examples(dataset.train_x, dataset.train_y)
    parts = train, Examples(dataset.test_x, dataset.test_y)
    if is_streamed(config.data.stream, dataset, mode=config.training.mode):
        return parts
    return tuple(placement.replicate(jax.tree.map(jnp.asarray, part)) for part in parts)


def _build_phase(
    config: Config,
    model: nn.Module,
    inverted: bool,
    name: str,
    epochs: int,
    offset: int,
    batches: Batches,
) -> Phase:
    """Build the optimizer and the compiled steps of a phase."""
    training, placement = config.training, batches.placement
    size, is_first = training.batch_size, offset == 0
    length = {
        "epochs": epochs,
        "steps_per_epoch": steps_per_epoch(batches.indices.shape[1], size),
    }
    schedule = build_schedule(config.optimizer, **length, warmup=is_first)
    optimizer = build_optimizer(config.optimizer, schedule, batch_size=size)
    optimizer = train_only(optimizer, training.trainable)
    factor = build_noise_factor(config.noise, **length, retrains=not is_first)
    step = make_step(
        model.clone(noise_factor=factor),
        optimizer,
        build_task(config, is_training=True),
        expected_samples=model.num_noise_sites,
        num_samples=config.objective.num_samples,
        strategy=choose_strategy(config),
        weighting=config.objective.weighting,
        microbatches=training.microbatches,
        trainable=training.trainable,
        max_norm=config.optimizer.max_norm,
        skip_nonfinite=training.on_nan == "skip",
        mean_gradients=training.gradients,
        placement=placement,
    )
    prepare = functools.partial(
        prepare_inputs, inverted=inverted, augment=config.data.augment
    )
    return Phase(
        name=name,
        epochs=epochs,
        offset=offset,
        batches=batches,
        optimizer=optimizer,
        steps=make_steps(step, prepare, placement),
        star_steps=make_steps(step, prepare_inputs, placement),
    )


def check_independence(program: Program, seeds: Seeds) -> None:
    """Check that the network treats examples independently, as `resample` requires.

    Raises:
      ValueError: an output depends on other examples.
    """
    x = program.train.x[:INDEPENDENT]
    if jax.process_count() > 1 or (x == x[:1]).all():
        return
    model = program.model
    log_prob = make_log_prob(model, program.task, model.num_noise_sites)
    params, batch_stats = jax.tree.map(
        lambda leaf: leaf[0], (seeds.state.params, seeds.state.batch_stats)
    )
    objectives.check_independence(
        functools.partial(log_prob, batch_stats),
        params,
        jax.random.key(program.seeds[0]),
        to_float(jnp.asarray(x), inverted=program.prepared.inverted),
        jnp.asarray(program.train.y[:INDEPENDENT]),
        has_aux=True,
    )
