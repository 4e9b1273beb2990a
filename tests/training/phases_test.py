"""Training protocols: patience, retraining, samples, precision, preprocessing."""

import importlib.util

import jax
import numpy as np
import pytest

from noisejax import data, layers, models, training
from tests.data.synthetic import arrays
from tests.training.tiny import config, dataset, read, rows, train

pytestmark = pytest.mark.usefixtures("quick_compilation")

NOT_LEARNING = {"optimizer__learning_rate": 1e-12, "noise__scheme": "none"}
"""Fields with which no epoch is better than the first."""


def test_patience(tmp_path):
    """Training stops after `patience` epochs without improvement."""
    summary = train(tmp_path, training__epochs=9, training__patience=3, **NOT_LEARNING)
    assert {row["epoch"] for row in rows(tmp_path)} == {1, 2, 3, 4}
    assert summary["best_epoch"] == [4]  # the last of equal epochs


def test_patience_is_renewed(tmp_path):
    """Each better epoch resets the count of epochs without improvement."""
    train(tmp_path, training__epochs=12, training__patience=2)
    errors = [row["error_percent"] for row in rows(tmp_path, split="validation")]
    best, stale, expected = np.inf, 0, 0
    for error in errors:
        expected += 1
        best, stale = (error, 0) if error < best else (best, stale + 1)
        if stale == 2:
            break
    assert len(errors) == expected


def test_retraining_starts_from_the_best_epoch(tmp_path):
    """Retraining on all examples starts from the best parameters."""
    summary = train(
        tmp_path,
        training__retrain_epochs=3,
        **NOT_LEARNING,
    )
    errors = [row["error_percent"] for row in rows(tmp_path, split="test")]
    assert len(set(errors)) == 1
    assert not rows(tmp_path, phase="retrain", split="validation")
    assert summary["retrain_epochs"] == 3


def test_the_mean_of_the_last_half_is_reported(tmp_path):
    """Bouthillier et al. (2015), section 5.2."""
    summary = train(tmp_path, training__retrain_epochs=4)
    errors = [
        row["error_percent"] for row in rows(tmp_path, phase="retrain", split="test")
    ]
    assert summary["test_error_percent"]["mean"] == pytest.approx(np.mean(errors[2:]))


def test_retraining_sees_the_validation_part(tmp_path):
    """A validation example that is NaN stops the retraining, not the training."""
    own = dataset()
    _, held_out = data.split_indices(200, 0.2, seed=0)
    own.train_x[held_out[3]] = np.nan
    fields = {"training__batch_size": 40, "noise__input_rate": 0.0}
    with pytest.raises(training.TrainingError, match=r"epoch 1 \(retrain\)"):
        train(tmp_path, on=own, training__retrain_epochs=1, **fields)
    assert rows(tmp_path, phase="train", split="train")


def test_mean_gradients(tmp_path):
    """Gradients of the first step match a loop; measuring does not change training."""
    fields = {
        "noise__scheme": "none",
        "training__batch_size": 160,  # all there are: an epoch is a step
        "training__epochs": 1,
    }
    measured = train(tmp_path / "measured", training__gradients=True, **fields)
    plain = train(tmp_path / "plain", **fields)
    assert measured["params_sha256"] == plain["params_sha256"]
    own, (indices, _) = dataset(), data.split_indices(200, 0.2, seed=0)
    model = training.build_model(config(**fields), 3)
    key = jax.random.split(jax.random.key(0), 5)[0]  # the parameters' key
    params = model.init(key, own.train_x[:1], train=False)["params"]

    def loss(params):
        logits, _ = model.apply({"params": params}, own.train_x[indices], train=False)
        log_probs = jax.nn.log_softmax(logits)
        return (
            -np.float32(1 / 160) * log_probs[np.arange(160), own.train_y[indices]].sum()
        )

    gradients = jax.grad(loss)(params)
    [row] = rows(tmp_path / "measured", split="train")
    for layer, leaves in gradients.items():
        expected = np.abs(leaves["kernel"]).mean()
        assert row[f"gradient/{layer}/kernel"] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("strategy", ["fold", "vmap", "map", "resample"])
def test_several_samples(tmp_path, strategy):
    """The bound of S samples is tighter than that of one sample."""
    summary = train(
        tmp_path,
        objective__num_samples=4,
        objective__strategy=strategy,
        training__epochs=1,
    )
    [row] = rows(tmp_path, split="train")
    assert summary["effective_samples"]["mean"] == row["effective_samples"]
    assert row["loss"] < row["loss_at_1"]
    assert 1 <= row["effective_samples"] <= 4
    assert not rows(tmp_path, split="test")[0].keys() & {"loss_at_1"}


@pytest.mark.parametrize(
    ("fields", "same"),
    [
        ({"noise__input_rate": 0.0}, True),
        ({"noise__input_rate": 0.2}, False),
        ({"noise__input_rate": 0.0, "model__batch_norm": True}, False),
    ],
)
def test_fold_runs_as_vmap_if_that_saves_layers(tmp_path, fields, same):
    """fold runs as vmap if layers precede the noise, except with batch norm."""
    hashes = {
        train(
            tmp_path / strategy,
            objective__num_samples=2,
            objective__strategy=strategy,
            training__epochs=1,
            **fields,
        )["params_sha256"]
        for strategy in ("fold", "vmap")
    }
    assert (len(hashes) == 1) == same


def test_equal_weights_have_all_samples_effective(tmp_path):
    train(tmp_path, objective__num_samples=4, objective__weighting="equal")
    for row in rows(tmp_path, split="train"):
        assert row["effective_samples"] == pytest.approx(4)


def test_one_sample_has_no_importance_metrics(tmp_path):
    train(tmp_path, training__epochs=1)
    assert set(rows(tmp_path)[0]) == {
        "phase",
        "split",
        "epoch",
        "seed",
        "loss",
        "error_percent",
    }


def test_noise_that_is_off_is_an_error(tmp_path, monkeypatch):
    """A noise layer that applies no noise stops the training."""
    monkeypatch.setattr(layers.Noise, "__call__", lambda self, x, **_: x)
    with pytest.raises(RuntimeError, match="applied 0 noise samples instead of 2"):
        train(tmp_path)


def test_resampling_a_network_that_mixes_examples_is_an_error(tmp_path, monkeypatch):
    """Independence of examples is checked before the first step."""
    call = models.MLP.__call__

    def mixed(self, x, *, train):
        outputs, activations = call(self, x, train=train)
        return outputs - outputs.mean(0, keepdims=True), activations

    monkeypatch.setattr(models.MLP, "__call__", mixed)
    fields = {"objective__num_samples": 2, "training__epochs": 1}
    with pytest.raises(ValueError, match="other examples"):
        train(tmp_path / "resample", objective__strategy="resample", **fields)
    train(tmp_path / "vmap", objective__strategy="vmap", **fields)


def test_bfloat16_products(tmp_path):
    """bfloat16 products change the results a little."""
    low = train(tmp_path / "low", training__precision="bfloat16")
    full = train(tmp_path / "full")
    assert low["params_sha256"] != full["params_sha256"]
    loss = full["test_loss"]["mean"]
    assert low["test_loss"]["mean"] == pytest.approx(loss, rel=0.05)


@pytest.mark.parametrize("inverted", [False, True])
def test_preprocessing(tmp_path, inverted):
    """Preprocessing follows the inversion and precedes the first epoch."""
    steps = {"data__preprocess": ("standardise", "pca"), "data__components": 9}
    asked = train(tmp_path / "asked", data__inverted=inverted, **steps)
    own = dataset()
    if inverted:
        own = data.Dataset(
            "own", 1 - own.train_x, own.train_y, 1 - own.test_x, own.test_y, 3
        )
    done = data.preprocess(own, ("standardise", "pca"), num_components=9).dataset
    assert done.train_x.shape == (200, 9)
    given = train(tmp_path / "given", on=done)
    assert asked["params_sha256"] == given["params_sha256"]
    assert asked["num_parameters"] == 9 * 8 + 8 + 8 * 3 + 3


def test_an_autoencoder_reports_its_reconstruction_error(tmp_path):
    summary = train(
        tmp_path,
        model__name="autoencoder",
        optimizer__learning_rate=0.001,
        training__epochs=1,
    )
    error = summary["test_error_percent"]["mean"]
    assert np.isfinite(error)
    assert error > 0


def test_images_with_augmentation(tmp_path):
    """Augmentation changes the examples, and so the loss a little."""
    own = arrays(shape=(6, 6, 1))
    y_train, y_test = (own[f"y_{part}"].astype(np.int32) for part in ("train", "test"))
    images = data.Dataset("own", own["x_train"], y_train, own["x_test"], y_test, 3)
    runs = {
        augment: train(
            tmp_path / str(augment),
            on=images,
            training__epochs=1,
            data__augment=augment,
        )
        for augment in (False, True)
    }
    assert runs[True]["params_sha256"] != runs[False]["params_sha256"]
    loss = runs[False]["test_loss"]["mean"]
    assert runs[True]["test_loss"]["mean"] == pytest.approx(loss, rel=0.2)


@pytest.mark.skipif(
    importlib.util.find_spec("tensorboardX") is not None, reason="it is installed"
)
def test_tensorboard_that_is_missing_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"pip install 'noisejax\[tensorboard\]'"):
        train(tmp_path, training__tensorboard=True)
    assert not (tmp_path / "config.json").exists()


def test_event_files(tmp_path):
    pytest.importorskip("tensorboardX")
    train(tmp_path, training__tensorboard=True)
    assert list((tmp_path / "tensorboard").glob("events.out.tfevents.*"))


def test_metric_writers_receive_the_rows_of_the_log(tmp_path):
    """Each writer gets each row once; a writer that fails does not stop the run."""
    seen, closed = [], []

    class Tracker:
        def __call__(self, rows, epoch):
            seen.extend({**row, "at": epoch} for row in rows)
            rows.clear()  # the log does not depend on what a writer does

        def close(self):
            closed.append(True)

    def broken(rows, epoch):
        raise OSError("no network")

    writers = (broken, Tracker())
    run = training.train(
        config(training__epochs=3), tmp_path, dataset=dataset(), metric_writers=writers
    )
    assert [{k: v for k, v in row.items() if k != "at"} for row in seen] == [
        row for row in rows(tmp_path) if row["split"] != "test" or row["epoch"] <= 3
    ]
    assert all(row["at"] == row["epoch"] for row in seen)
    assert closed == [True]
    assert (
        run["params_sha256"]
        == train(tmp_path / "b", training__epochs=3)["params_sha256"]
    )


def test_a_metric_writer_must_be_a_function(tmp_path):
    with pytest.raises(TypeError, match=r"functions \(rows, epoch\), got str"):
        training.train(
            config(), tmp_path / "run", dataset=dataset(), metric_writers=("wandb",)
        )
    assert not (tmp_path / "run").exists()


def test_damaged_metrics_are_reported(tmp_path):
    train(tmp_path, training__epochs=1)
    path = tmp_path / "metrics.jsonl"
    path.write_text(path.read_text() + "{half a")
    with pytest.raises(ValueError, match=r"metrics.jsonl, line 4: "):
        training.read_metrics(path)
    assert read(tmp_path, "summary.json")["epochs"] == 1
