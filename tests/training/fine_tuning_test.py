"""Noise schedules, vision transformers, fine-tuning and frozen parameters."""

import dataclasses

import jax
import numpy as np
import pytest

from noisejax import data, training
from tests.training.stopping import train_in_pieces
from tests.training.tiny import dataset, rows, train

pytestmark = pytest.mark.usefixtures("quick_compilation")

VIT = {
    "model__name": "vit",
    "model__blocks": 1,
    "model__token_width": 8,
    "model__heads": 2,
    "noise__input_rate": 0.0,
    "noise__hidden_rate": 0.1,
    "noise__attention_rate": 0.1,
    "noise__residual_rate": 0.1,
    "noise__embedding_rate": 0.1,
    "noise__path_rate": 0.1,
    "optimizer__name": "adamw",
    "optimizer__learning_rate": 0.01,
}


def params_of(workdir, seed=None):
    variables = training.load_run(workdir, dataset=dataset(), seed=seed).variables
    return variables["params"]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A run of two seeds on the three classes."""
    workdir = tmp_path_factory.mktemp("source")
    train(workdir, training__epochs=1, training__num_seeds=2)
    return workdir


def two_classes():
    """The data set without the last class."""
    own, changes = dataset(), {"num_classes": 2}
    for part in ("train", "test"):
        chosen = getattr(own, f"{part}_y") < 2
        changes |= {f"{part}_{a}": getattr(own, f"{part}_{a}")[chosen] for a in "xy"}
    return dataclasses.replace(own, **changes)


def test_a_vit_trains_resumes_and_is_loaded(tmp_path):
    """Random dropout per token, clipped gradients, smooth labels, decay of kernels."""
    fields = VIT | {
        "noise__scheme": "random_dropout",
        "noise__level_per": "token",
        "noise__schedule": "linear",
        "optimizer__weight_decay": 0.1,
        "optimizer__clip_norm": 1.0,
        "objective__label_smoothing": 0.1,
    }
    whole = train(tmp_path / "whole", training__epochs=3, **fields)
    assert np.isfinite(whole["test_error_percent"]["mean"])
    run = training.load_run(tmp_path / "whole", dataset=dataset())
    assert run.model.num_noise_sites == 1 + 1 + 1 + 2 + 2
    assert run.model.hidden_noise[0].batch_dims == 2
    assert run.model.attention_noise.batch_dims == 1


def test_a_vit_with_frozen_parts_resumes_bit_for_bit(tmp_path, monkeypatch):
    fields = VIT | {
        "noise__schedule": "cosine",
        "training__trainable": "mlp|dense|norm",
        "training__checkpoint_steps": 3,
    }
    expected = train(tmp_path / "whole", **fields)
    found = train_in_pieces(monkeypatch, tmp_path / "run", (1, 1), **fields)
    assert found["params_sha256"] == expected["params_sha256"]
    assert found["metrics_sha256"] == expected["metrics_sha256"]


def test_shifts_start_at_minus_the_mean_activities(tmp_path):
    """Shifts are set layer by layer, on the activations after earlier shifts."""
    train(
        tmp_path,
        model__widths=(8, 6),
        noise__shift="both",
        noise__shift_start="minus_mean",
        training__epochs=1,
        optimizer__learning_rate=1e-12,
    )
    run = training.load_run(tmp_path, dataset=dataset())
    x, params = dataset().train_x, run.variables["params"]
    _, activations = run.model.apply(run.variables, x, train=False)
    for name, source in (("input_noise", "input"), ("noise_1", "hidden_1")):
        mean = np.asarray(activations[source]).mean(0)
        np.testing.assert_allclose(params[name]["beta"], -mean, rtol=1e-4, atol=1e-5)


def test_shape_constants_reach_the_activation():
    config = training.Config()
    config.model.gaaf, config.model.shape_constants = True, (2.0, 1.0)
    gaaf = training.build_model(config, 3).activation
    slope = jax.grad(gaaf)(0.5)
    np.testing.assert_allclose(slope, 1 + jax.nn.sigmoid(2.0 * 1.5), rtol=1e-5)


def test_levels_per_head_are_on_attention_weights():
    config = training.Config()
    config.model.name, config.noise.scheme = "vit", "random_dropout"
    config.noise.level_per = "head"
    with pytest.raises(ValueError, match="noise.attention_rate above 0"):
        training.check_config(config)
    config.noise.attention_rate = 0.1
    model = training.build_model(config, 3)
    assert model.attention_noise.batch_dims == 2
    assert model.hidden_noise[0].batch_dims == 1


@pytest.mark.parametrize("kind", ["linear", "cosine"])
def test_noise_is_annealed(tmp_path, kind):
    """The annealed run starts noisy and ends like noise-free training."""
    fields = {"training__epochs": 4, "optimizer__learning_rate": 1e-9}
    fields |= {"noise__hidden_rate": 0.9, "noise__schedule": kind}
    train(tmp_path / "a", noise__schedule_epochs=2, **fields)
    losses = [row["loss"] for row in rows(tmp_path / "a", split="train")]
    fields["noise__schedule"] = "constant"
    train(tmp_path / "b", noise__scheme="none", **fields)
    clean = [row["loss"] for row in rows(tmp_path / "b", split="train")]
    assert losses[0] > 1.05 * clean[0]
    np.testing.assert_allclose(losses[2:], clean[2:], rtol=1e-4)


def test_training_starts_from_seeds_of_another_run(source, tmp_path):
    """With tiny steps, each seed keeps the parameters of a seed of the source."""
    train(
        tmp_path,
        training__init_from=str(source),
        training__num_seeds=3,
        training__epochs=1,
        optimizer__learning_rate=1e-12,
    )
    for seed, expected in ((0, 0), (1, 1), (2, 0)):
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6),
            params_of(tmp_path, seed),
            params_of(source, expected),
        )


def test_only_the_trainable_parameters_change(source, tmp_path):
    """The output layer is new; the frozen layer does not change by a bit."""
    summary = train(
        tmp_path,
        on=two_classes(),
        training__init_from=str(source),
        training__trainable="output",
        optimizer__weight_decay=0.1,
        optimizer__max_norm=0.5,
        training__microbatches=2,
        objective__num_samples=2,
    )
    assert summary["test_error_percent"]["mean"] < 60
    run = training.load_run(tmp_path, dataset=two_classes())
    tuned, before = run.variables["params"], params_of(source)
    assert tuned["dense_output"]["kernel"].shape == (8, 2)
    jax.tree.map(np.testing.assert_array_equal, tuned["dense_0"], before["dense_0"])


def test_frozen_parameters_have_no_optimizer_state(tmp_path):
    train(tmp_path, training__trainable="dense_0", optimizer__name="adam")
    text = (tmp_path / "checkpoints" / "2.json").read_text()
    states = [name for name in text.split('"') if name.startswith(".state.opt_state")]
    assert any("dense_0" in name for name in states)
    assert not any("dense_output" in name for name in states)


def test_a_source_that_holds_no_run_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="init_from=/nowhere: .* holds no run"):
        train(tmp_path, training__init_from="/nowhere")


def test_another_network_lists_the_differences(source, tmp_path):
    with pytest.raises(
        ValueError, match=r"dense_0/bias is \(9,\) in this run and \(8,\) in the other"
    ):
        train(tmp_path, training__init_from=str(source), model__widths=(9,))
    assert not list(tmp_path.glob("checkpoints/*"))


def test_a_fine_tuned_run_resumes_without_its_source(source, tmp_path):
    """A fine-tuned run can be resumed after the source was deleted."""
    moved = tmp_path / "source"
    moved.symlink_to(source)
    fields = {"training__init_from": str(moved), "training__epochs": 1}
    first = train(tmp_path / "run", **fields)
    moved.unlink()
    (tmp_path / "run" / "summary.json").unlink()
    again = train(tmp_path / "run", resume=True, **fields)
    assert again["params_sha256"] == first["params_sha256"]


def test_smooth_labels_are_those_of_the_definition(tmp_path):
    """log p = (1 - α) log p(y) + α/K Σ log p(k), for α = 0.3 and K = 3."""
    fields = {"noise__scheme": "none", "optimizer__learning_rate": 1e-12}
    train(tmp_path, objective__label_smoothing=0.3, training__epochs=1, **fields)
    own, run = dataset(), training.load_run(tmp_path, dataset=dataset())
    chosen, _ = data.split_indices(len(own.train_x), 0.2, seed=0)
    logits, _ = run.model.apply(run.variables, own.train_x[chosen], train=False)
    log_probs = np.asarray(jax.nn.log_softmax(logits))
    of_label = log_probs[np.arange(len(chosen)), own.train_y[chosen]]
    expected = -(0.7 * of_label + 0.1 * log_probs.sum(-1)).mean()
    [row] = rows(tmp_path, split="train")
    assert row["loss"] == pytest.approx(expected, rel=1e-5)


def test_an_output_layer_for_other_classes_starts_anew(source, tmp_path):
    """Fine-tuning on other classes of the same number resets the output layer."""
    fields = {"training__epochs": 1, "optimizer__learning_rate": 1e-12}
    train(tmp_path / "a", data__classes=(0, 1), **fields)
    fields |= {"training__init_from": str(tmp_path / "a"), "training__seed": 5}
    train(tmp_path / "same", data__classes=(0, 1), **fields)
    train(tmp_path / "other", data__classes=(1, 2), **fields)
    kernels = {
        name: params_of(tmp_path / name)["dense_output"]["kernel"]
        for name in ("a", "same", "other")
    }
    np.testing.assert_allclose(kernels["same"], kernels["a"], atol=1e-6)
    assert np.abs(kernels["other"] - kernels["a"]).max() > 0.01
