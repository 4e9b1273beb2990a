"""Train on back-projected inputs: a round is an epoch on x and one on each x*."""

import jax
import numpy as np
import pytest

from noisejax import backprojection, objectives, training
from tests.training.stopping import train_in_pieces
from tests.training.tiny import config, dataset, rows, train

QUICK = pytest.mark.usefixtures("quick_compilation")

FIELDS = {
    "training__mode": "back_projection",
    "training__epochs": 4,
    "projection__num_steps": 4,
    "optimizer__learning_rate": 0.05,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return folder, train(folder, training__retrain_epochs=2, **FIELDS)


def test_rows_are_per_round(run):
    """A round has two epochs, and is measured after the second one."""
    assert [row["epoch"] for row in rows(run[0], split="test", phase="train")] == [2, 4]
    assert [row["epoch"] for row in rows(run[0], split="test", phase="retrain")] == [2]


def test_residuals_are_measured(run):
    """On average, x* is closer to the targets than x is."""
    for row in rows(run[0], split="train"):
        assert 0 < row["residual_after"] < row["residual_before"]
    assert "residual_after" not in rows(run[0], split="test")[0]


def test_seconds_of_projecting_and_training_add_up(run):
    _, summary = run
    assert 0 < summary["seconds_projecting"] < summary["seconds"]
    total = summary["seconds_projecting"] + summary["seconds_training"]
    assert total == pytest.approx(summary["seconds"])


@pytest.mark.parametrize("pieces", [(1,), (2,)], ids=str)
def test_in_pieces(run, tmp_path, monkeypatch, pieces):
    """A resumed run recomputes x*, which checkpoints do not store."""
    summary = train_in_pieces(
        monkeypatch, tmp_path, pieces, training__retrain_epochs=2, **FIELDS
    )
    assert summary["params_sha256"] == run[1]["params_sha256"]
    assert (tmp_path / "metrics.jsonl").read_bytes() == (
        run[0] / "metrics.jsonl"
    ).read_bytes()


def test_seeds_at_once_are_those_seeds_alone(tmp_path):
    together = train(tmp_path / "all", training__num_seeds=2, **FIELDS)
    alone = train(tmp_path / "1", training__seed=1, **FIELDS)
    assert alone["params_sha256"] == together["params_sha256_per_seed"][1]


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"training__epochs": 3}, "training.epochs must be a multiple of 2, got 3"),
        (
            {"training__retrain_epochs": 3},
            "training.retrain_epochs must be a multiple of 2, got 3",
        ),
        (
            {"projection__per_layer": True, "model__widths": (8, 8)},
            "multiple of 3, got 4; a round .* 2 on x",
        ),
    ],
)
def test_epochs_are_whole_rounds(tmp_path, fields, match):
    with pytest.raises(ValueError, match=match):
        train(tmp_path, **{**FIELDS, **fields})
    assert not (tmp_path / "config.json").exists()


@QUICK
@pytest.mark.parametrize(
    "fields",
    [
        {"projection__method": "preconditioned"},
        {
            "projection__method": "gradient_descent",
            "projection__learning_rates": (0.1,),
        },
        {"projection__bounded": True, "data__inverted": True},
    ],
    ids=str,
)
def test_methods(tmp_path, fields):
    train(tmp_path, **{**FIELDS, "training__epochs": 2, **fields})
    [row] = rows(tmp_path, split="train")
    assert row["residual_after"] < row["residual_before"]


@QUICK
def test_each_layer_by_itself(tmp_path):
    """A round is an epoch on x and one for each hidden layer."""
    train(
        tmp_path,
        **{**FIELDS, "training__epochs": 3},
        projection__per_layer=True,
        model__widths=(8, 6),
    )
    assert [row["epoch"] for row in rows(tmp_path, split="test")] == [3]


@QUICK
def test_diverging_steps_are_an_error(tmp_path):
    with pytest.raises(training.TrainingError, match=r"x\* diverged for \d+ of 160"):
        train(
            tmp_path,
            projection__method="gradient_descent",
            projection__learning_rates=(1e6,),
            **FIELDS,
        )
    assert not rows(tmp_path)


def test_a_round_is_its_transcription(tmp_path):
    """A round computes x*, then takes a noise-free step on x and one on x*."""
    fields = {
        **FIELDS,
        "training__epochs": 2,
        "training__batch_size": 200,  # a step is an epoch, whatever its order
        "data__validation": 0,
        "optimizer__momentum": 0.0,
        "optimizer__nesterov": False,
        "optimizer__schedule": "constant",
    }
    train(tmp_path, **fields)
    own, found = dataset(), training.load_run(tmp_path, dataset=dataset())
    # Targets are noisy on the hidden layers only (eq. 6).
    noisy = training.build_model(config(**fields), 3).clone(input_noise=None)
    model = found.model
    assert not any(model.hidden_noise)
    keys = jax.random.split(jax.random.key(0), 5)
    params = model.init(keys[0], own.train_x[:1], train=False)["params"]
    # Chunks are of 512 examples, the last ones padding by the first.
    rows_of_chunk = np.concatenate([np.arange(200), np.zeros(312, int)])
    padded = own.train_x[rows_of_chunk]
    key = jax.random.fold_in(jax.random.fold_in(keys[4], 1), 0)
    _, targets = noisy.apply(
        {"params": params}, padded, train=True, rngs={"dropout": key}
    )

    def features(params, x):
        return (model.apply({"params": params}, x, train=False)[1]["noisy_0"],)

    done = backprojection.back_project(
        features, params, padded, (targets["noisy_0"],), num_steps=4
    )

    def loss(params, x):
        logits, _ = model.apply({"params": params}, x, train=False)
        return -np.float32(1 / 200) * (
            objectives.label_log_prob(logits, own.train_y).sum()
        )

    for x in (own.train_x, done.x_star[:200]):
        gradient = jax.grad(loss)(params, x)
        params = jax.tree.map(lambda p, g: p - 0.05 * g, params, gradient)
    for a, b in zip(
        jax.tree.leaves(found.variables["params"]),
        jax.tree.leaves(params),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)
    [row] = rows(tmp_path, split="train")
    before = done.residual_before[0, :200]
    # Examples whose targets are all 0 have no residual.
    before = before[np.isfinite(before)]
    assert row["residual_before"] == pytest.approx(float(before.mean()), rel=1e-3)
