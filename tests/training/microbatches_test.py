"""A batch in parts: the gradient of the whole, with the memory of a part."""

import json

import jax
import numpy as np
import optax
import pytest
from jax import numpy as jnp

from noisejax.training._build import build_model, expected_samples
from noisejax.training._files import write_json
from noisejax.training._microbatches import accumulate, split_batch
from noisejax.training._state import init_state
from noisejax.training._step import StepConfig, make_step
from noisejax.training._task import CLASSIFICATION
from tests.training.tiny import config, rows, train

SILENT = {"noise__scheme": "none"}
BATCH = 20


def make(microbatches, **fields):
    """A step of plain descent, a state and a batch for it."""
    own = config(**fields)
    model = build_model(own, 3)
    step_config = StepConfig(
        model=model,
        task=CLASSIFICATION,
        expected_samples=expected_samples(model),
        num_samples=own.objective.num_samples,
        strategy=own.objective.strategy,
        microbatches=microbatches,
    )
    optimizer = optax.sgd(1.0)
    x = jax.random.uniform(jax.random.key(1), (BATCH, 4, 4, 1))
    y = jnp.arange(BATCH) % 3
    state = init_state(model, optimizer, x, jnp.int32(0))
    return jax.jit(make_step(step_config, optimizer)), (state, x, y)


def gradient(microbatches, key=7, **fields):
    step, (state, x, y) = make(microbatches, **fields)
    new, metrics = step(state, x, y, jax.random.key(key))
    return jax.tree.map(jnp.subtract, state.params, new.params), metrics


NETWORKS = {
    "plain": {},
    "gaaf": {"model__gaaf": True},
    "several samples": {"objective__num_samples": 3},
    "one by one": {"objective__num_samples": 3, "objective__strategy": "map"},
}


@pytest.mark.parametrize("fields", NETWORKS.values(), ids=NETWORKS.keys())
@pytest.mark.parametrize("microbatches", [2, 5, 20])
def test_without_noise_it_is_the_gradient_of_the_batch(fields, microbatches):
    expected, whole = gradient(1, **SILENT, **fields)
    found, parts = gradient(microbatches, **SILENT, **fields)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    assert parts.keys() == whole.keys()
    for name in whole:
        np.testing.assert_allclose(parts[name], whole[name], rtol=1e-5)


@pytest.mark.parametrize(
    ("strategy", "num_samples"),
    [("fold", 1), ("fold", 4), ("vmap", 4), ("map", 4), ("resample", 4)],
)
def test_with_noise_it_is_the_mean_over_parts(strategy, num_samples):
    """Each part under split(key, M)[m], by hand."""
    fields = {
        "objective__num_samples": num_samples,
        "objective__strategy": strategy,
        "noise__scheme": "random_dropout",
        "model__gaaf": True,
    }
    found, metrics = gradient(4, **fields)
    step, (state, x, y) = make(1, **fields)
    parts, losses = [], []
    for m in range(4):
        key = jax.random.split(jax.random.key(7), 4)[m]
        new, of_part = step(state, x[m::4], y[m::4], key)
        parts.append(jax.tree.map(jnp.subtract, state.params, new.params))
        losses.append(of_part["loss"])
    expected = jax.tree.map(lambda *g: np.mean(g, axis=0), *parts)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(metrics["loss"], np.mean(losses), rtol=1e-5)


def test_each_part_has_a_key_of_its_own():
    _, (state, x, y) = make(2)
    seen = []

    def spy(params, batch_stats, x, y, key):
        jax.debug.callback(lambda data: seen.append(data), jax.random.key_data(key))
        return params, batch_stats, {"loss": jnp.sum(x)}

    accumulate(spy, 2)(state.params, {}, x, y, jax.random.key(0))
    jax.effects_barrier()
    assert len(seen) == 2
    assert (seen[0] != seen[1]).any()


def test_running_averages_go_on_from_part_to_part():
    fields = {"model__batch_norm": True, **SILENT}
    step, (state, x, y) = make(2, **fields)
    found, _ = step(state, x, y, jax.random.key(7))
    one, _ = make(1, **fields)
    stats = state.batch_stats
    for m in range(2):
        new, _ = one(
            state.replace(batch_stats=stats), x[m::2], y[m::2], jax.random.key(7)
        )
        stats = new.batch_stats
    for a, b in zip(
        jax.tree.leaves(found.batch_stats), jax.tree.leaves(stats), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_parts_take_every_example_once():
    parts = split_batch(np.arange(12), 3)
    assert parts.shape == (3, 4)
    assert sorted(parts.ravel()) == list(range(12))
    np.testing.assert_array_equal(parts[1], np.arange(12)[1::3])


def test_less_memory():
    """Activations of a wide network in eight parts: what is not parameters shrinks."""

    def temporary(microbatches):
        own = config(model__widths=(512,) * 6)
        model = build_model(own, 3)
        optimizer = optax.sgd(1.0)
        x, y = jnp.ones((4096, 4, 4, 1)), jnp.zeros(4096, jnp.int32)
        state = jax.eval_shape(
            lambda: init_state(model, optimizer, x[:1], jnp.int32(0))
        )
        step_config = StepConfig(
            model=model,
            task=CLASSIFICATION,
            expected_samples=expected_samples(model),
            microbatches=microbatches,
        )
        step = jax.jit(make_step(step_config, optimizer))
        compiled = step.lower(state, x, y, jax.random.key(0)).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    assert temporary(8) < temporary(1) / 3


def test_a_run(tmp_path):
    """Seeds in one program are those seeds alone, bit for bit; and it learns."""
    fields = {"training__microbatches": 4, "noise__shift": "both"}
    together = train(tmp_path / "all", training__num_seeds=2, **fields)
    for seed in range(2):
        alone = train(tmp_path / str(seed), training__seed=seed, **fields)
        assert alone["params_sha256"] == together["params_sha256_per_seed"][seed]
    whole = train(tmp_path / "whole", noise__shift="both")
    assert whole["params_sha256"] != together["params_sha256_per_seed"][0]
    losses = [row["loss"] for row in rows(tmp_path / "all", seed=0, split="train")]
    assert losses[-1] < losses[0]


def test_a_run_without_noise_is_that_of_whole_batches(tmp_path):
    parts = train(tmp_path / "parts", training__microbatches=5, **SILENT)
    whole = train(tmp_path / "whole", **SILENT)
    assert parts["test_loss"]["mean"] == pytest.approx(
        whole["test_loss"]["mean"], rel=1e-4
    )


def test_a_run_recorded_before_there_were_parts(tmp_path):
    """A field that came up later had its default then."""
    expected = train(tmp_path)
    (tmp_path / "summary.json").unlink()
    for path in [
        tmp_path / "config.json",
        *(tmp_path / "checkpoints").glob("*.json"),
    ]:
        values = json.loads(path.read_text())
        del values["checksum"]
        section = values.get("config") or values["run"]
        del section["training"]["microbatches"]
        write_json(path, values)
    again = train(tmp_path, resume=True)
    assert again["params_sha256"] == expected["params_sha256"]
    with pytest.raises(ValueError, match="microbatches is 1 there and 2 here"):
        train(tmp_path, resume=True, training__microbatches=2)
