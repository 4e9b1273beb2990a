"""The layers of the networks that runs train."""

import dataclasses
from typing import Any

from jax import lax
from jax import numpy as jnp
from jaxtyping import Array

from noisejax import models
from noisejax.measuring._network import Layer, Network
from noisejax.training import TrainedRun


def network_of(run: TrainedRun) -> Network:
    """Finds the layers of a run's network."""
    model = run.model
    if isinstance(model, models.WideResNet):
        return _wide_resnet(run, model)
    if isinstance(model, models.ConvNet):
        return _conv_net(run, model)
    if isinstance(model, models.Autoencoder):
        inner = _dense_net(run, _inner(model), ("mlp",))
        return dataclasses.replace(inner, targets="inputs")
    if isinstance(model, models.SoftTargetMLP):
        inner = _dense_net(run, model, ("mlp",))
        *hidden, output = inner.layers
        # Its net values are shaped [tissues, outcomes]: measured, not taken apart.
        layers = (*hidden, dataclasses.replace(output, linear=False))
        return dataclasses.replace(inner, layers=layers, targets="soft labels")
    return _dense_net(run, model, ())


def _inner(model: models.Autoencoder) -> models.MLP:
    """The places of noise of an autoencoder, layer by layer."""
    decoder = tuple(reversed(model.widths))[1:]
    schemes = tuple(model.hidden_noise) or (None,) * len(model.widths)
    return models.MLP(
        (*model.widths, *decoder),
        1,
        input_noise=model.input_noise,
        hidden_noise=(*schemes, *(None for _ in decoder)),
    )


def _dense_net(
    run: TrainedRun, model: models.MLP | models.SoftTargetMLP, prefix: tuple[str, ...]
) -> Network:
    count = len(model.widths)
    places = _places(model, count)
    layers = tuple(
        Layer(
            name=f"layer {i + 1}" if i < count else "output",
            net=f"net_{i}" if i < count else "output",
            kernel=(*prefix, f"dense_{i}" if i < count else "dense_output", "kernel"),
            **places[i],
            product=_dense_product,
            linear=i == count or not model.batch_norm,
            activated=i < count and model.pieces == 1,
        )
        for i in range(count + 1)
    )
    hidden = {f"hidden {i + 1}": f"hidden_{i}" for i in range(count)}
    return Network(run, layers, hidden, prefix, model.batch_norm, False)


def _conv_net(run: TrainedRun, model: models.ConvNet) -> Network:
    stages, dense = model.architecture.stages, model.architecture.dense
    count = len(stages) + len(dense)
    places = _places(model, count)
    layers = []
    for i, stage in enumerate(stages):
        for j in range(len(stage.features)):
            inner = _no_place(f"conv_{i}_{j - 1}", f"conv {i + 1}.{j}")
            layers.append(
                Layer(
                    name=f"conv {i + 1}.{j + 1}",
                    net=f"net_{i}_{j}",
                    kernel=(f"conv_{i}_{j}", "kernel"),
                    **(inner if j else places[i]),
                    product=_same_convolution,
                    linear=not model.batch_norm,
                    activated=model.architecture.conv_pieces == 1,
                )
            )
    for i in range(len(stages), count + 1):
        last = i == count
        layers.append(
            Layer(
                name="output" if last else f"dense {i + 1}",
                net="output" if last else f"net_{i}",
                kernel=("dense_output" if last else f"dense_{i}", "kernel"),
                **places[i],
                product=_dense_product,
                linear=last or not model.batch_norm,
                activated=not last and model.architecture.dense_pieces == 1,
            )
        )
    hidden = {f"hidden {i + 1}": f"hidden_{i}" for i in range(count)}
    return Network(run, tuple(layers), hidden, (), model.batch_norm, True)


def _wide_resnet(run: TrainedRun, model: models.WideResNet) -> Network:
    """The net values between a block's convolutions, which are normalised."""
    count = model.num_hidden_places
    blocks = tuple(
        Layer(
            name=f"block {i + 1}",
            net=f"net_{i}",
            kernel=(f"conv_{i}_0", "kernel"),
            **_no_place(f"block_{i - 1}" if i else "stem", ""),
            product=_same_convolution,
            linear=False,
            activated=True,
        )
        for i in range(count)
    )
    output = Layer(
        name="output",
        net="output",
        kernel=("dense_output", "kernel"),
        **_no_place("pooled", "pooled"),
        product=_dense_product,
        linear=True,
        activated=False,
    )
    hidden = {f"hidden {i + 1}": f"hidden_{i}" for i in range(count)}
    return Network(run, (*blocks, output), hidden, (), True, True)


def _places(model: Any, count: int) -> list[dict[str, Any]]:
    """The input and the hidden layers, with the noise on each."""
    schemes = tuple(model.hidden_noise) or (None,) * count
    first = {
        "source": "input",
        "place": "input",
        "noise": "input_noise",
        "scheme": model.input_noise,
    }
    return [first] + [
        {
            "source": f"hidden_{i}",
            "place": f"hidden {i + 1}",
            "noise": f"noise_{i}",
            "scheme": schemes[i],
        }
        for i in range(count)
    ]


def _no_place(source: str, name: str) -> dict[str, Any]:
    return {"source": source, "place": name, "noise": "", "scheme": None}


def _dense_product(x: Array, kernel: Array) -> Array:
    return jnp.matmul(x.reshape(x.shape[0], -1), kernel, precision="highest")


def _same_convolution(x: Array, kernel: Array) -> Array:
    return lax.conv_general_dilated(
        x,
        kernel,
        (1, 1),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        precision=lax.Precision.HIGHEST,
    )
