"""Invalid fields, and invalid combinations of fields, are rejected."""

import dataclasses
import math
import pathlib
import re

import pytest

from noisejax import data, training
from tests.training.tiny import config, dataset

WRONG = {
    "data.name": [(3, "of type str"), ("mnit", "one of digits, .*mnist")],
    "data.classes": [
        ((1.0,), "a tuple of int"),
        ((0, 3), r"different labels below 3 .* got \(0, 3\)"),
    ],
    "data.inverted": [(1, "of type bool"), ("yes", "of type bool")],
    "data.validation": [
        (-0.1, "0 or more"),
        (math.nan, "0 or more"),
        (math.inf, "0 or more"),
        ("half", "of type float"),
        (1.5, "a whole number of examples"),
        (200, "a number of them below 200"),
        (0.999, "a number of them below 200"),
    ],
    "data.validation_per_class": [(4, "a tuple of int"), ((1.5,), "a tuple of int")],
    "data.test_partition": [("first", "of type int")],
    "data.preprocess": [
        ("gcn", r"a tuple of str, such as \('gcn', 'zca'\)"),
        (("whiten",), "steps out of gcn, zca, pca, standardise; got 'whiten'"),
    ],
    "data.components": [(0, "1 or more"), (1.5, "of type int")],
    "data.augment": [(None, "of type bool")],
    "data.stream": [("disk", "one of auto, resident, stream"), (True, "of type str")],
    "model.name": [("resnet", "one of mlp, autoencoder")],
    "model.widths": [
        ((), "one or more positive numbers"),
        ((8, 0), "one or more positive numbers"),
        ((8.0,), r"a tuple of int, such as \(100, 100\)"),
        (8, "a tuple of int"),
        ([8], "a tuple of int"),
    ],
    "model.depth": [(9, "10 or more")],
    "model.width_factor": [(0.0, "a positive number"), (math.nan, "positive")],
    "model.batch_norm": [(1, "of type bool")],
    "model.pieces": [(0, "1 or more"), (True, "of type int")],
    "model.activation": [("swish", "one of relu, tanh")],
    "model.blocks": [(0, "1 or more")],
    "model.token_width": [(0, "1 or more"), (8.0, "of type int")],
    "model.heads": [(0, "1 or more")],
    "model.patch": [(0, "1 or more")],
    "model.pooling": [("max", "one of token, mean")],
    "model.gaaf": [("floor", "of type bool")],
    "model.shape_constants": [((1.0,), "for model.gaaf"), (2.0, "a tuple of float")],
    "model.kernel_init": [("zeros", "one of he_normal")],
    "noise.scheme": [("drop", "one of none, dropout, random_dropout")],
    "noise.input_rate": [(1.0, r"a rate in \[0, 1\)"), (math.nan, "a rate in")],
    "noise.hidden_rate": [(-0.1, r"a rate in \[0, 1\)"), ("0.5", "of type float")],
    "noise.hidden_rates": [
        ((1.0,), r"a rate in \[0, 1\)"),
        ((0.5, 0.5), "one rate per noisy hidden layer"),
        (0.5, r"a tuple of float, such as \(0.5, 0.5\)"),
    ],
    "noise.embedding_rate": [(0.1, "for model.name=vit, got mlp")],
    "noise.attention_rate": [(1.0, "for model.name=vit"), ("a", "of type float")],
    "noise.residual_rate": [(0.1, "for model.name=vit, got mlp")],
    "noise.recurrent_rate": [(0.1, "for model.name=caption_lstm, got mlp")],
    "noise.path_rate": [(0.1, "for model.name=vit, got mlp")],
    "noise.level_per": [("token", "random_dropout and model.name=vit"), ("row", "one")],
    "noise.schedule": [("step", "one of constant, linear, cosine")],
    "noise.start_factor": [(-1.0, "0 or more"), (0.5, "for noise.schedule=linear or")],
    "noise.end_factor": [
        (math.nan, "0 or more"),
        (0.5, "for noise.schedule=linear or"),
    ],
    "noise.schedule_epochs": [(-1, "0 or more"), (1, "for noise.schedule=linear or")],
    "noise.shift": [("all", "one of none, input, hidden, both, running_average")],
    "noise.shift_start": [
        ("mean", "one of zero, minus_mean"),
        ("minus_mean", "learned"),
    ],
    "noise.bits": [(16, "one of 32, 8"), ("8", "of type int")],
    "noise.scale": [(0, "of type bool")],
    "objective.num_samples": [(0, "1 or more"), (2.0, "of type int")],
    "objective.strategy": [("scan", "one of fold, vmap, map, resample")],
    "objective.weighting": [("max", "one of importance, equal")],
    "objective.likelihood": [("poisson", "one of categorical, gaussian")],
    "objective.target_stddev": [(0.0, "a positive number")],
    "objective.label_smoothing": [(1.0, r"\[0, 1\)"), (-0.1, "0 or more")],
    "optimizer.name": [("lion", "one of sgd, adam, adamw")],
    "optimizer.learning_rate": [
        (0, "a positive number"),
        (-0.1, "a positive number"),
        (math.inf, "a positive number"),
    ],
    "optimizer.schedule": [("exponential", "one of constant, linear, cosine, steps")],
    "optimizer.milestones": [
        ((0.6, 0.3), "rising shares"),
        ((1.5,), "rising shares"),
        ((math.nan,), "rising shares"),
    ],
    "optimizer.step_factor": [(0.0, "a positive number")],
    "optimizer.warmup_epochs": [
        (-1, "0 or more"),
        (math.inf, "0 or more"),
        (2, "below training.epochs=2"),
    ],
    "optimizer.momentum": [(1.0, r"\[0, 1\)"), (-0.1, r"\[0, 1\)")],
    "optimizer.nesterov": [("no", "of type bool")],
    "optimizer.weight_decay": [(-1e-4, "0 or more"), (math.inf, "0 or more")],
    "optimizer.decay": [("biases", "one of kernels, all")],
    "optimizer.shift_decay": [(-0.1, "0 or more"), (None, "of type float")],
    "optimizer.shift_rate": [(0.0, "a positive number")],
    "optimizer.max_norm": [(-1.0, "0 or more"), (math.nan, "0 or more")],
    "optimizer.clip_norm": [(-1.0, "0 or more"), (math.inf, "0 or more")],
    "training.epochs": [(0, "1 or more"), (2.0, "of type int"), (-3, "1 or more")],
    "training.batch_size": [(0, "1 or more"), (161, "has 160 examples")],
    "training.microbatches": [
        (0, "1 or more"),
        (3, "must divide training.batch_size: got 3 and 20"),
    ],
    "training.steps_per_call": [(-1, "0 or more"), (2.0, "of type int")],
    "training.checkpoint_steps": [(-1, "0 or more"), (True, "of type int")],
    "training.seed": [(-1, "0 or more"), (2**31, "at most 2147483647")],
    "training.num_seeds": [(0, "1 or more"), ("3", "of type int")],
    "training.mode": [("sleep", "one of noise, back_projection")],
    "training.retrain_epochs": [(-1, "0 or more")],
    "training.patience": [(-1, "0 or more")],
    "training.on_nan": [("ignore", "one of stop, skip")],
    "training.precision": [("float16", "one of float32, bfloat16")],
    "training.gradients": [(1, "of type bool")],
    "training.init_from": [(1, "of type str")],
    "training.trainable": [
        ("(", "no regular expression"),
        ("conv", "matches no parameter; the parameters are dense_0/"),
    ],
    "training.tensorboard": [(1, "of type bool")],
    "projection.num_steps": [(0, "1 or more")],
    "projection.method": [("newton", "one of stable, preconditioned")],
    "projection.learning_rates": [
        ((), "positive numbers"),
        ((300.0, 0.0), "positive numbers"),
        (300.0, "a tuple of float"),
    ],
    "projection.per_layer": [(1, "of type bool")],
    "projection.bounded": [("both", "of type bool")],
    "mesh.data": [(0, "1 or more")],
    "mesh.samples": [(1.0, "of type int")],
}
"""Field -> values that it cannot have, and what is said about them."""

TOGETHER = {
    "constants of another shape function": (
        {"model.gaaf": True, "model.shape_constants": (1.0,)},
        "the steepness and the offset of the shape function of relu; got .1.0,",
    ),
    "heads that do not divide": (
        {"model.name": "vit", "model.heads": 3},
        "model.heads must divide model.token_width, got 3 and 64",
    ),
    "patches that do not divide": (
        {"model.name": "vit", "model.patch": 3},
        "model.patch=3 must divide the sides",
    ),
    "batch norm in a transformer": (
        {"model.name": "vit", "model.batch_norm": True},
        "model.batch_norm is not for model.name=vit",
    ),
    "x* of a transformer": (
        {"model.name": "vit", "training.mode": "back_projection"},
        "change model.name=vit",
    ),
    "a schedule without an end": (
        {"noise.schedule": "linear", "noise.schedule_epochs": 3},
        "must end within the training.*training.epochs=2; got 3",
    ),
    "a factor that drops all": (
        {"noise.schedule": "cosine", "noise.start_factor": 2.0},
        "times the largest factor .* must be below 1, got 0.5 times 2.0",
    ),
    "smooth labels of a reconstruction": (
        {"objective.label_smoothing": 0.1, "model.name": "autoencoder"},
        "a network that classifies; got 0.1 and model.name=autoencoder",
    ),
    "gaaf of what does not saturate": (
        {"model.gaaf": True, "model.activation": "linear"},
        "model.gaaf needs an activation that saturates: relu, tanh",
    ),
    "a rate that 8 bits round away": (
        {"noise.bits": 8, "noise.hidden_rate": 0.001},
        "rounds to 0 with 8 random bits.*Use bits=32",
    ),
    "a negative deviation": (
        {"noise.scheme": "gaussian_noise", "noise.hidden_rate": -1.0},
        r"noise.hidden_rate must be a standard deviation in \[0, inf\).*got -1.0",
    ),
    "a depth between": (
        {"model.name": "wide_resnet", "model.depth": 11},
        r"6 n \+ 4.*got 11",
    ),
    "maxout elsewhere": (
        {"model.pieces": 2, "model.name": "autoencoder"},
        "model.pieces=2 is for model.name=mlp",
    ),
    "batch norm in an autoencoder": (
        {"model.batch_norm": True, "model.name": "autoencoder"},
        "model.batch_norm is not for model.name=autoencoder",
    ),
    "patience without validation": (
        {"training.patience": 1, "data.validation": 0.0},
        "give data.validation a share above 0",
    ),
    "retraining without validation": (
        {"training.retrain_epochs": 1, "data.validation": 0},
        "give data.validation a share above 0",
    ),
    "the last seed": (
        {"training.seed": 2**31 - 2, "training.num_seeds": 3},
        "the last of 3 would be 2147483648",
    ),
    "images out of components": (
        {"data.augment": True, "data.preprocess": ("pca",)},
        "data.augment flips and crops images.*principal components",
    ),
    "convolutions of components": (
        {"model.name": "cnn", "data.preprocess": ("pca",)},
        "model.name=cnn needs images.*principal components",
    ),
    "more components than inputs": (
        {"data.preprocess": ("pca",), "data.components": 17},
        r"num_components must lie in 1\.\.16",
    ),
    "resampling with batch statistics": (
        {
            "objective.num_samples": 2,
            "objective.strategy": "resample",
            "model.batch_norm": True,
        },
        "objective.strategy=resample.*batch statistics.*use fold, vmap or map",
    ),
    "resampling with running averages": (
        {
            "objective.num_samples": 2,
            "objective.strategy": "resample",
            "noise.shift": "running_average",
        },
        "running averages.*use fold, vmap or map",
    ),
    "resampling with a level per batch": (
        {
            "objective.num_samples": 2,
            "objective.strategy": "resample",
            "noise.scheme": "random_dropout_per_batch",
        },
        "a noise level per batch.*use fold, vmap or map",
    ),
    "back-projection without noise": (
        {"training.mode": "back_projection", "noise.scheme": "none"},
        "change noise.scheme=none, or use training.mode=noise",
    ),
    "back-projection of all sorts": (
        {
            "training.mode": "back_projection",
            "noise.shift": "both",
            "model.batch_norm": True,
            "objective.num_samples": 2,
            "data.augment": True,
            "data.stream": "stream",
            "training.checkpoint_steps": 5,
        },
        "change noise.shift, model.batch_norm, objective.num_samples, data.augment, "
        "data.stream=stream, training.checkpoint_steps",
    ),
    "back-projection rates per layer": (
        {
            "training.mode": "back_projection",
            "projection.method": "gradient_descent",
            "projection.learning_rates": (300.0, 30.0),
        },
        r"one per hidden layer: got \(300.0, 30.0\) for model.widths=\(8,\)",
    ),
}
"""What -> fields that cannot go together, and what is said about them."""


def changed(fields):
    return config(**{path.replace(".", "__"): value for path, value in fields.items()})


def refuse(tmp_path, fields, match):
    """The error has the message, and the folder contains only the lock."""
    wrong = changed(fields)
    examples = None if "data.name" in fields else dataset()
    folder = tmp_path / "run"
    with pytest.raises((ValueError, TypeError), match=match) as info:
        training.train(wrong, folder, dataset=examples)
    assert not isinstance(info.value, UnicodeError)
    assert not folder.exists() or {path.name for path in folder.iterdir()} <= {".lock"}


@pytest.mark.parametrize(
    ("path", "value", "match"),
    [(path, *case) for path, cases in WRONG.items() for case in cases],
    ids=lambda value: re.sub(r"\W+", "_", str(value))[:30],
)
def test_a_field(tmp_path, path, value, match):
    """The message names the field, the valid values, and the received value."""
    refuse(tmp_path, {path: value}, rf"{path}.*{match}")


def test_all_fields_are_in_the_table():
    fields = {
        f"{section.name}.{field.name}"
        for section in dataclasses.fields(training.Config)
        for field in dataclasses.fields(section.type)
    }
    assert fields == set(WRONG)


@pytest.mark.parametrize(("fields", "match"), TOGETHER.values(), ids=TOGETHER.keys())
def test_fields_together(tmp_path, fields, match):
    refuse(tmp_path, fields, match)


def test_a_list_becomes_a_tuple():
    """Values after a round trip through JSON are accepted."""
    there = training.from_dict({"model": {"widths": [8, 4]}})
    assert there.model.widths == (8, 4)
    training.check_config(there)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"modle": {}}, "unknown section 'modle'; the sections are data, model"),
        ({"model": 3}, "the section 'model' holds fields, got 3"),
        ({"model": {"width": (8,)}}, r"'model.width'; there are model.name, model.wi"),
        ([], r"sections of fields, got \[\]"),
        ({"model": None}, "'model' holds fields, got None"),
    ],
    ids=str,
)
def test_plain_values_that_are_no_configuration(values, match):
    with pytest.raises(ValueError, match=match):
        training.from_dict(values)


def test_names_of_fields_that_are_not():
    assert "there are training.epochs, " in training.unknown_field("training.epoch")
    assert "there are data.*, model.*" in training.unknown_field("trainer.epochs")


def test_every_field_is_described():
    text = training.describe()
    for path in WRONG:
        assert f"  {path}=" in text
    assert "TODO" not in text


def test_a_configuration_there_and_back():
    own = config(model__widths=(8, 4), noise__hidden_rates=(0.1, 0.2))
    assert training.from_dict(training.to_dict(own)) == own


def test_an_unknown_field_cannot_be_assigned():
    """The error equals that of the command line, and lists the names."""
    own = training.Config()
    with pytest.raises(
        ValueError, match="'model.width'; there are model.name, model.w"
    ):
        own.model.width = (3,)
    with pytest.raises(ValueError, match=r"'modle'; there are data.\*, model.\*"):
        own.modle = own.model
    with pytest.raises(TypeError, match="unexpected keyword argument 'width'"):
        type(own.model)(width=(3,))


def test_a_section_of_another_type_is_refused(tmp_path):
    own = config()
    own.model = {"widths": (3,)}
    with pytest.raises(TypeError, match="model must be a ModelConfig; got {'widths'"):
        training.train(own, tmp_path / "run", dataset=dataset())


URLS = ("s3://b/r", "gs://b/r", "https://host/r", "file:///tmp/r", "hdfs:/b/r")


@pytest.mark.parametrize("url", URLS)
def test_urls_are_no_paths(tmp_path, monkeypatch, url):
    """The error says what to do, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    match = "must be a local path, got the URL .*; mount the storage"
    npz, named = config(), config()
    npz.data.name = f"{url}/a.npz"
    named.data.name = "mnist"
    for call in (
        lambda: training.train(config(), url, dataset=dataset()),
        lambda: training.train(config(), pathlib.Path(url), dataset=dataset()),
        lambda: training.train(npz, tmp_path / "run"),
        lambda: training.train(named, tmp_path / "run", data_dir=url),
        lambda: training.load_run(url),
        lambda: training.recorded_config(url),
        lambda: training.read_summary(url),
        lambda: training.Workdir(url),
        lambda: data.prepare_dataset("mnist", url),
    ):
        with pytest.raises(ValueError, match=match):
            call()
    assert {path.name for path in tmp_path.rglob("*")} <= {"run", ".lock"}
