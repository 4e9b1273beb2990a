"""Measurements of gradients, of the variance of net values, and of shifts."""

import jax
import numpy as np
from jax import numpy as jnp
from jaxtyping import Array

from noisejax import diagnostics, noise, training
from noisejax.reproduction._measured import Measured
from noisejax.reproduction._subject import Subject
from noisejax.reproduction._unit_measurements import BATCH, DRAWS

EXAMPLES = 512
"""Training examples whose gradients are taken one by one."""


def gradient_information(subject: Subject) -> Measured:
    """Mean |∂E/∂W| through training (Hahn and Choi 2018, eq. 5 and table 2).

    Where a layer's input is dropped, inverted scaling makes its gradients
    1 / (1 - rate) times those of the paper's scaling: they are scaled back.
    """
    rows = [
        row
        for row in training.read_metrics(subject.run.path / "metrics.jsonl")
        if (row["phase"], row["split"], row["seed"])
        == ("train", "train", subject.run.seed)
    ]
    schemes = subject.run.model.hidden_noise or (None,) * len(subject.layers)
    numbers, arrays = {}, {}
    for i in subject.layers:
        name = f"gradient/dense_{i}/kernel"
        inverted = np.array([row[name] for row in rows])
        by_epoch = inverted * _paper_scale(schemes, i)
        numbers[f"gradient_information/layer_{i + 1}"] = by_epoch.mean()
        numbers[f"gradient_inverted_scaling/layer_{i + 1}"] = inverted.mean()
        arrays[f"gradient/layer_{i + 1}"] = by_epoch
    return Measured({**numbers, **_per_example(subject, schemes)}, arrays)


def _per_example(subject: Subject, schemes: tuple) -> dict[str, float]:
    """The same at the chosen epoch, of the gradients of single examples (eq. 5)."""
    model = subject.run.model
    batch_stats = subject.run.variables["batch_stats"]

    def loss_fn(params, keys, x, y):
        variables = {"params": params, "batch_stats": batch_stats}
        (logits, _), _ = model.apply(
            variables, x, train=True, rngs={"dropout": keys[0]}, mutable=["batch_stats"]
        )
        return -jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], axis=1)[
            :, 0
        ]

    x, y = subject.run.inputs(subject.run.train.x[:EXAMPLES]), subject.run.train.y
    keys = jax.random.split(subject.key(), len(x))
    found = diagnostics.gradient_information(
        loss_fn, subject.params, keys, x, y[: len(x)]
    )
    return {
        f"gradient_per_example/layer_{i + 1}": float(found[f"dense_{i}"]["kernel"])
        * _paper_scale(schemes, i)
        for i in subject.layers
    }


def _paper_scale(schemes: tuple, i: int) -> float:
    below = schemes[i - 1] if i else None
    if isinstance(below, noise.Dropout) and below.scale:
        return 1 - below.rate
    return 1.0


def net_variances(subject: Subject) -> Measured:
    """The variance of net values over draws of the masks (Hahn, table 3, eq. 6)."""
    model, layers = subject.run.model, subject.layers
    schemes = model.hidden_noise or (None,) * len(layers)
    last = len(layers)

    def nets(variables, key, x):
        (_, a), _ = model.apply(
            variables, x, train=True, rngs={"dropout": key}, mutable=["batch_stats"]
        )
        moments = {}
        for i in range(last + 1):
            moments[f"layer_{i + 1}" if i < last else "last_layer"] = (
                diagnostics.net_moments(
                    a[f"net_{i}"] if i < last else a["output"],
                    a[f"hidden_{i - 1}"] if i else a["input"],
                    _kernel(variables, i, last),
                    schemes[i - 1] if i else model.input_noise,
                )
            )
        return moments

    x = subject.test_x[:BATCH]
    found = diagnostics.net_variance(
        subject.key(), nets, subject.run.variables, x, num_draws=DRAWS
    )
    numbers = {}
    for name, variance in found.items():
        numbers[f"net_variance/{name}"] = variance.measured.mean()
        numbers[f"net_variance_conditional/{name}"] = variance.conditional.mean()
        numbers[f"net_variance_passed_on/{name}"] = variance.passed_on.mean()
    return Measured(numbers)


def _kernel(variables, i: int, last: int):
    name = f"dense_{i}" if i < last else "dense_output"
    return variables["params"][name]["kernel"]


def shift_against_activity(subject: Subject) -> Measured:
    """Learned shifts against mean activities, place by place (Ba et al., figure 2)."""
    places = {
        "input": ("input", "input_noise"),
        **{f"layer_{i + 1}": (f"hidden_{i}", f"noise_{i}") for i in subject.layers},
    }
    names = [name for name, _ in places.values()]
    activities = subject.mean_activations(subject.train_x, names)
    numbers, arrays = {}, {}
    for place, (name, module) in places.items():
        shift = subject.params.get(module, {}).get("beta")
        if shift is None:
            continue
        mean = jnp.asarray(activities[name])
        found = diagnostics.shift_against_activity(mean, shift)
        numbers[f"shift_correlation/{place}"] = found.correlation
        numbers[f"shift_slope/{place}"] = _slope(found.mean_activity, found.shift)
        arrays[f"mean/{place}"] = np.asarray(found.mean_activity)
        arrays[f"shift/{place}"] = np.asarray(found.shift)
    return Measured(numbers, arrays)


def _slope(x: Array, y: Array) -> Array:
    """Least-squares slope of y against x: Σ (x - x̄)(y - ȳ) / Σ (x - x̄)²."""
    centred = x - x.mean()
    return (centred * (y - y.mean())).sum() / (centred**2).sum()


def shift_images(subject: Subject) -> Measured:
    """The mean input and the learned input shifts as images (Ba et al., figure 1)."""
    shape = subject.run.dataset.shape
    arrays = {"mean_image": np.asarray(subject.train_x.mean(0)).reshape(shape)}
    shift = subject.params.get("input_noise", {}).get("beta")
    if shift is not None:
        arrays["shift_image"] = np.asarray(shift).reshape(shape)
    return Measured(arrays=arrays)


def learning_curves(subject: Subject) -> Measured:
    """Errors by epoch (Ba et al. 2014, figure 1)."""
    rows = training.read_metrics(subject.run.path / "metrics.jsonl")
    arrays = {
        f"curve/{split}": np.array(
            [
                row["error_percent"]
                for row in rows
                if (row["phase"], row["split"], row["seed"])
                == ("train", split, subject.run.seed)
            ]
        )
        for split in ("train", "validation", "test")
    }
    return Measured(arrays=arrays)
