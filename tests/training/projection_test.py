"""Training on back-projected inputs: rounds of an epoch on x and one on each x*."""

import jax
import numpy as np
import pytest

from noisejax import training
from noisejax.training import _phases
from noisejax.training._epoch import step_key
from noisejax.training._state import init_state
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
    """Two epochs a round: measured after each round, at its last epoch."""
    assert [row["epoch"] for row in rows(run[0], split="test", phase="train")] == [2, 4]
    assert [row["epoch"] for row in rows(run[0], split="test", phase="retrain")] == [2]


def test_residuals_are_measured(run):
    """On average x* is nearer to what was asked for than x is."""
    for row in rows(run[0], split="train"):
        assert 0 < row["residual_after"] < row["residual_before"]
    assert "residual_after" not in rows(run[0], split="test")[0]


def test_seconds_apart(run):
    _, summary = run
    assert 0 < summary["seconds_projecting"] < summary["seconds"]
    total = summary["seconds_projecting"] + summary["seconds_training"]
    assert total == pytest.approx(summary["seconds"])


@pytest.mark.parametrize("pieces", [(1,), (2, 0)], ids=str)
def test_in_pieces(run, tmp_path, monkeypatch, pieces):
    """x* are found again: nothing of them is kept."""
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
            "counts 3 epochs a round.*multiple of 3, got 4",
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
    """An epoch on x and one for each hidden layer."""
    train(
        tmp_path,
        **{**FIELDS, "training__epochs": 3},
        projection__per_layer=True,
        model__widths=(8, 6),
    )
    assert [row["epoch"] for row in rows(tmp_path, split="test")] == [3]


@QUICK
def test_steps_that_are_too_long_are_said_so(tmp_path):
    with pytest.raises(training.TrainingError, match=r"x\* diverged for \d+ of 160"):
        train(
            tmp_path,
            projection__method="gradient_descent",
            projection__learning_rates=(1e6,),
            **FIELDS,
        )
    assert not rows(tmp_path)


def test_the_input_itself_is_not_noisy():
    """Targets are noisy on hidden layers only (eq. 6); training itself is silent."""
    program = _phases.build_program(config(**FIELDS), dataset())
    [phase] = program.phases
    assert program.model.input_noise is None
    assert not any(program.model.hidden_noise)
    assert phase.projection.passes == 1


def test_x_star_is_for_the_parameters_of_the_round():
    """By hand: the residuals of a round's x*, from the network and its noise."""
    program = _phases.build_program(config(**FIELDS), dataset())
    [phase] = program.phases
    own = config(**FIELDS)
    noisy = training.build_model(own, 3).clone(input_noise=None)
    x = program.train.x[phase.indices[0]]
    state = init_state(program.model, phase.optimizer, x[:1], program.seeds[0])
    stacked = jax.tree.map(lambda leaf: leaf[None], state)
    found = phase.projection.project(
        stacked, program.train.x, phase.indices, program.seeds, 1
    )
    x_star = found["x_star"][0, 0]
    assert x_star.shape == x.shape
    key = step_key(program.seeds[0], 1, 0, "projection")
    # Chunks are of 500 examples, so the draw is for 500, the last ones padding.
    padded = np.concatenate([x, np.repeat(program.train.x[:1], 500 - len(x), 0)])
    _, noisy_values = noisy.apply(
        {"params": state.params}, padded, train=True, rngs={"dropout": key}
    )
    target = noisy_values["noisy_0"][: len(x)]

    def residual(images):
        _, values = program.model.apply({"params": state.params}, images, train=False)
        difference = np.sum((values["noisy_0"] - target) ** 2, -1)
        norm = np.sum(np.asarray(target) ** 2, -1)
        return np.mean(difference[norm > 0] / norm[norm > 0])

    before, after = (
        float(found[f"residual_{when}"][0]) for when in ("before", "after")
    )
    assert residual(x) == pytest.approx(before, rel=1e-3)
    assert residual(x_star) == pytest.approx(after, rel=1e-3)
