"""Compare the training loop with a transcription: order, keys, noise, descent."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from noisejax import objectives, training
from tests.training.tiny import config, dataset, rows, train

PLAIN = {
    "data__validation": 0,  # the last epoch is reported
    "optimizer__momentum": 0.0,
    "optimizer__nesterov": False,
    "optimizer__schedule": "constant",
}
"""Plain descent on all 200 examples, in 10 steps an epoch."""


def reference(own, seed=0):
    """Compute the parameters after a run step by step."""
    examples, model = dataset(), training.build_model(own, 3)
    parameters, order, noise, _, _ = jax.random.split(jax.random.key(seed), 5)
    x, y = jnp.asarray(examples.train_x), jnp.asarray(examples.train_y)
    params = model.init(parameters, x[:1], train=False)["params"]
    size, parts = own.training.batch_size, own.training.microbatches

    @jax.jit
    def descend(params, rows, keys):
        def loss(params, rows, key):
            logits, _ = model.apply(
                {"params": params}, x[rows], train=True, rngs={"dropout": key}
            )
            return -jnp.mean(objectives.label_log_prob(logits, y[rows]))

        gradients = [
            jax.grad(loss)(params, rows[m::parts], keys[m]) for m in range(parts)
        ]
        mean = jax.tree.map(lambda *g: sum(g) / parts, *gradients)
        return jax.tree.map(
            lambda p, g: p - own.optimizer.learning_rate * g, params, mean
        )

    for epoch in range(1, own.training.epochs + 1):
        permuted = jax.random.permutation(jax.random.fold_in(order, epoch), 200)
        for i in range(200 // size):
            key = jax.random.fold_in(jax.random.fold_in(noise, epoch), i)
            keys = jax.random.split(key, parts) if parts > 1 else key[None]
            params = descend(params, permuted[i * size : (i + 1) * size], keys)
    return params


RUNS = {
    "direct": {},
    "scanned": {"training__steps_per_call": 4},
    "streamed": {"data__stream": "stream"},
    "streamed and scanned": {"data__stream": "stream", "training__steps_per_call": 4},
    "microbatches": {"training__microbatches": 4},
    "two seeds": {"training__num_seeds": 2},
}


@pytest.mark.parametrize("fields", RUNS.values(), ids=RUNS.keys())
def test_a_run_is_its_transcription(tmp_path, fields):
    """Parameters agree up to rounding for every way to run the steps."""
    train(tmp_path, **PLAIN, **fields)
    own = config(**PLAIN, **fields)
    for seed in range(own.training.num_seeds):
        found = training.load_run(tmp_path, dataset=dataset(), seed=seed)
        expected = reference(own, seed)
        for a, b in zip(
            jax.tree.leaves(found.variables["params"]),
            jax.tree.leaves(expected),
            strict=True,
        ):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_streamed_examples_change_nothing(tmp_path):
    """Metrics are equal bit for bit, because each step gets the same batches."""
    for name in ("stream", "resident"):
        train(tmp_path / name, data__stream=name, noise__shift="both")
    assert rows(tmp_path / "stream") == rows(tmp_path / "resident")


@pytest.mark.parametrize(
    "fields",
    [{}, {"training__microbatches": 4}, {"training__retrain_epochs": 2}],
    ids=str,
)
def test_seeds_at_once_are_those_seeds_alone(tmp_path, fields):
    """Parameters and metrics are equal bit for bit."""
    fields |= {"noise__shift": "both", "training__patience": 1, "training__epochs": 3}
    together = train(tmp_path / "all", training__num_seeds=2, **fields)
    for seed in range(2):
        folder = tmp_path / str(seed)
        alone = train(folder, training__seed=seed, **fields)
        assert alone["params_sha256"] == together["params_sha256_per_seed"][seed]
        assert rows(folder) == rows(tmp_path / "all", seed=seed)
        for key in ("best_epoch", "skipped_steps"):
            assert alone[key] == together[key][seed : seed + 1]


def test_an_epoch_is_not_interrupted_by_transfers(tmp_path, monkeypatch):
    """Epochs of 40 steps and of 4 steps read from the device equally often."""
    reads, within = [], []

    def count(where, name):
        original = getattr(where, name)

        def counted(*arguments, **options):
            is_read = name == "device_get" or isinstance(arguments[0], jax.Array)
            if is_read and not within:  # a fetch of many arrays is one read
                reads.append(name)
            within.append(name)
            try:
                return original(*arguments, **options)
            finally:
                within.pop()

        monkeypatch.setattr(where, name, counted)

    for name in ("__array__", "__bool__", "__float__", "__int__", "block_until_ready"):
        count(type(jnp.zeros(1)), name)
    count(np, "asarray")
    count(jax, "block_until_ready")
    count(jax, "device_get")
    counts = []
    for size in (4, 40):
        reads.clear()
        train(tmp_path / str(size), training__batch_size=size, training__epochs=1)
        counts.append(len(reads))
    assert counts[0] == counts[1] > 0


@pytest.mark.parametrize("where", ["resident", "stream"])
def test_later_epochs_trace_nothing(tmp_path, where):
    """Runs of five epochs and of two epochs trace the same functions."""
    traced, names = [], []

    def listen(event, duration, *, fun_name="", **_):
        if event.endswith("jaxpr_trace_duration"):
            traced.append(fun_name)

    jax.monitoring.register_event_duration_secs_listener(listen)
    for epochs in (2, 5, 2, 5):
        traced.clear()
        folder = tmp_path / str(len(names))
        train(folder, training__epochs=epochs, data__stream=where)
        names.append(sorted(traced))
    assert names[2] == names[3]
    assert "call" in names[1]
