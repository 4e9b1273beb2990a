"""An epoch as one program: data on the device, shuffled there, all seeds."""

import functools
from collections.abc import Callable

import jax
from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree, UInt8

from noisejax import data, noise
from noisejax.training._mesh import ONE_DEVICE, Placement
from noisejax.training._over_seeds import over_seeds
from noisejax.training._state import TrainState, seed_key
from noisejax.training._step import Step, StepConfig


def to_float(
    x: UInt8[Array, "..."] | Float[Array, "..."], *, inverted: bool
) -> Float[Array, "..."]:
    """Examples as the network sees them: pixels in [0, 1], inverted if asked for."""
    if x.dtype == jnp.uint8:
        x = x.astype(jnp.float32) * (1 / 255)
    return 1.0 - x if inverted else x


def epoch_batches(
    indices: Int[Array, " n"],
    seed: Int[Array, ""],
    number: Int[Array, ""],
    *,
    batch_size: int,
) -> Int[Array, "steps batch"]:
    """The examples of each step of an epoch; the last, smaller batch is left out."""
    key = jax.random.fold_in(seed_key(seed, "order"), number)
    steps = indices.shape[0] // batch_size
    order = jax.random.permutation(key, indices)[: steps * batch_size]
    return order.reshape(steps, batch_size)


def step_key(
    seed: Int[Array, ""],
    number: Int[Array, ""],
    i: Int[Array, ""],
    purpose: str = "noise",
) -> noise.Key:
    """The key of step `i` of epoch `number` for one purpose."""
    key = jax.random.fold_in(seed_key(seed, purpose), number)
    return jax.random.fold_in(key, i)


def as_seen(
    x: UInt8[Array, "batch ..."] | Float[Array, "batch ..."],
    seed: Int[Array, ""],
    number: Int[Array, ""],
    i: Int[Array, ""],
    *,
    inverted: bool,
    augment: bool,
) -> Float[Array, "batch ..."]:
    """The examples of a step, as the network sees them."""
    examples = to_float(x, inverted=inverted)
    if augment:
        return data.augment(step_key(seed, number, i, "augmentation"), examples)
    return examples


def make_epoch(
    step: Step,
    *,
    batch_size: int,
    inverted: bool,
    augment: bool = False,
    shared: bool = True,
    placement: Placement = ONE_DEVICE,
) -> Callable[..., tuple[TrainState, dict[str, Array]]]:
    """An epoch of all seeds at once.

    Args:
      step: of one seed.
      batch_size: examples per step.
      inverted: whether examples are inverted.
      augment: whether they are flipped and cropped.
      shared: whether all seeds see the same examples; else x, y lead with the seeds.
      placement: of the batches and the seeds.

    Returns:
      epoch(states, x, y, indices, seeds, number) -> (states, metrics), compiled, the
      old states donated.
        states: of the seeds, stacked.
        x, y: all training examples, shared.
        indices: [N, n], the examples that each seed trains on.
        seeds: int32 [N].
        number: of the epoch, counted over phases; decides the order.
        metrics: of the step, [N, steps] each.
    """

    def one_seed(state, x, y, indices, seed, number):
        batches = epoch_batches(indices, seed, number, batch_size=batch_size)

        def body(state, numbered_batch):
            i, batch = numbered_batch
            examples = as_seen(
                x[batch], seed, number, i, inverted=inverted, augment=augment
            )
            examples, labels = placement.batch((examples, y[batch]))
            return step(state, examples, labels, step_key(seed, number, i))

        return lax.scan(body, state, (jnp.arange(len(batches)), batches))

    examples = None if shared else 0
    mapped = over_seeds(
        one_seed, (0, examples, examples, 0, 0, None), placement=placement
    )

    def epoch(*arguments):
        return placement.keep_by_seed(mapped(*arguments))

    return jax.jit(epoch, donate_argnums=0)


def make_evaluate(
    config: StepConfig,
    *,
    batch_size: int,
    inverted: bool,
    placement: Placement = ONE_DEVICE,
) -> Callable[..., dict[str, Float[Array, " seeds"]]]:
    """Noise-free evaluation of all seeds at once.

    Returns:
      evaluate(params, batch_stats, x, y, indices) -> {"loss", "error"}, [N] each: means
      over the examples `indices` [N, n] of each seed. Compiled.
    """

    def one_seed(params, batch_stats, x, y, indices):
        n = indices.shape[0]

        def body(totals, batch):
            rows, counted = batch
            examples, labels = placement.batch(
                (to_float(x[rows], inverted=inverted), y[rows])
            )
            sums = sums_of(config, params, batch_stats, examples, labels, counted)
            return [total + s for total, s in zip(totals, sums, strict=True)], ()

        batches = evaluation_batches(indices, batch_size)
        (loss, error), _ = lax.scan(body, [jnp.float32(0)] * 2, batches)
        return {"loss": loss / n, "error": error / n}

    return jax.jit(over_seeds(one_seed, (0, 0, None, None, 0), placement=placement))


def evaluation_batches(
    indices: Int[Array, " n"], batch_size: int
) -> tuple[Int[Array, "steps batch"], Bool[Array, "steps batch"]]:
    """Examples in order, the last batch filled up; and which of them count."""
    n = indices.shape[0]
    steps = -(-n // batch_size)
    padded = jnp.pad(indices, (0, steps * batch_size - n))
    counts = jnp.arange(steps * batch_size) < n
    shape = (steps, batch_size)
    return padded.reshape(shape), counts.reshape(shape)


def sums_of(
    config: StepConfig,
    params: PyTree[Array],
    batch_stats: PyTree[Array],
    examples: Float[Array, "batch ..."],
    labels: Array,
    counted: Bool[Array, " batch"],
) -> list[Float[Array, ""]]:
    """Loss and error of a batch, summed over the examples that count; no noise."""
    variables = {"params": params, "batch_stats": batch_stats}
    outputs, _ = config.model.apply(variables, examples, train=False)
    return [
        jnp.sum(jnp.where(counted, values, 0.0))
        for values in (
            -config.task.log_prob(outputs, examples, labels),
            config.task.error(outputs, examples, labels),
        )
    ]


@functools.partial(jax.jit, static_argnums=1)
def all_indices(seeds: Int[Array, " seeds"], n: int) -> Int[Array, "seeds n"]:
    """Every example, for each seed."""
    return jnp.broadcast_to(jnp.arange(n, dtype=jnp.int32), (seeds.shape[0], n))
