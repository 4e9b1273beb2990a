"""Describes the layers of a training run's network."""

from typing import Any

from jax import lax
from jax import numpy as jnp
from jaxtyping import Array

from noisejax import models, training
from noisejax.evaluators._trained_model import Layer, TrainedModel, apply_of


def from_run(run: training.TrainedRun) -> TrainedModel:
    """Wrap the network of a training run.

    Args:
      run: training run from `training.load_run`.

    Returns:
      The network, with descriptions of its layers.

    Example:
      >>> import tempfile
      >>> from noisejax import evaluators, training
      >>> config = training.Config()
      >>> config.training.epochs, config.model.widths = 1, (8,)
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     summary = training.train(config, folder)
      ...     model = evaluators.from_run(training.load_run(folder))
      >>> [layer.name for layer in model.layers]
      ['layer 1', 'output']
    """
    module, prefix, targets = run.model, (), "labels"
    if run.config.objective.likelihood == "gaussian":
        targets = "real"
    is_resnet = isinstance(module, models.WideResNet)
    convolutional = is_resnet or isinstance(module, models.ConvNet)
    normalised = is_resnet or getattr(module, "batch_norm", False)
    if isinstance(module, models.Autoencoder):
        prefix, targets = ("mlp",), "inputs"
    elif isinstance(module, models.SoftTargetMLP):
        prefix, targets = ("mlp",), "soft labels"
    if is_resnet:
        layers, count = _residual_net(module, "stem", "conv"), module.num_hidden_sites
    elif isinstance(module, models.CaptionLSTM):
        layers, count, targets = [], 1, "captions"
    elif isinstance(module, models.StackedAttention):
        layers, count, targets = [], 0, "answers"
    elif isinstance(module, models.ViT):
        layers = _residual_net(module, "embedding", "dense")
        count = module.num_hidden_sites
    elif convolutional:
        layers, count = _conv_net(module), module.num_hidden_sites
    else:
        widths = tuple(module.widths)
        count = 2 * len(widths) - 1 if targets == "inputs" else len(widths)
        layers = _dense_net(module, count, prefix, targets)
    sites = tuple(f"noisy_{i}" for i in range(module.num_hidden_sites))
    return TrainedModel(
        apply=apply_of(module, normalised=normalised),
        variables=run.variables,
        train=run.train,
        test=run.test,
        layers=tuple(layers),
        hidden={f"hidden {i + 1}": f"hidden_{i}" for i in range(count)},
        sites=() if targets == "answers" else sites,
        activation=getattr(module, "activation", None),
        targets=targets,
        num_classes=0 if targets == "real" else run.dataset.num_classes,
        prefix=prefix,
        normalised=normalised,
        convolutional=convolutional,
        inputs=run.inputs,
        run=run,
    )


def _dense_net(
    module: Any, count: int, prefix: tuple[str, ...], targets: str
) -> list[Layer]:
    """Return the layers of an MLP, or of an encoder and its decoder."""
    sites, pieces = _sites(module, count), getattr(module, "pieces", 1)
    layers = _dense_layers(module, "layer", range(count), sites, pieces, prefix)
    # The outputs for soft targets are reshaped to [tissues, outcomes].
    return [*layers, _output(prefix, linear=targets != "soft labels", **sites[count])]


def _conv_net(module: models.ConvNet) -> list[Layer]:
    shape, linear = module.architecture, not module.batch_norm
    first, count = len(shape.stages), module.num_hidden_sites
    sites, layers = _sites(module, count), []
    for i, stage in enumerate(shape.stages):
        for j in range(len(stage.features)):
            inner = {"source": f"conv_{i}_{j - 1}", "site": f"conv {i + 1}.{j}"}
            layers.append(
                Layer(
                    f"conv {i + 1}.{j + 1}",
                    f"net_{i}_{j}",
                    kernel=(f"conv_{i}_{j}", "kernel"),
                    product=_convolution,
                    linear=linear,
                    activated=shape.conv_pieces == 1,
                    **(inner if j else sites[i]),
                )
            )
    dense = range(first, count)
    layers += _dense_layers(module, "dense", dense, sites, shape.dense_pieces)
    return [*layers, _output(**sites[count])]


def _dense_layers(
    module: Any,
    name: str,
    indices: range,
    sites: list[dict[str, Any]],
    pieces: int,
    prefix: tuple[str, ...] = (),
) -> list[Layer]:
    """Return dense hidden layers; `name` is the first word of their names."""
    return [
        Layer(
            f"{name} {i + 1}",
            f"net_{i}",
            kernel=(*prefix, f"dense_{i}", "kernel"),
            product=_dense,
            linear=not getattr(module, "batch_norm", False),
            activated=pieces == 1,
            **sites[i],
        )
        for i in indices
    ]


def _residual_net(module: Any, stem: str, kind: str) -> list[Layer]:
    """Return the first layer of each residual branch, whose input is normalised.

    Args:
      module: network.
      stem: name of the input of the first block.
      kind: prefix of the layer names, "conv" or "dense".
    """
    blocks = [
        Layer(
            f"block {i + 1}",
            f"net_{i}",
            source=f"block_{i - 1}" if i else stem,
            kernel=(f"{kind}_{i}_0", "kernel"),
            activated=True,
        )
        for i in range(module.num_hidden_sites)
    ]
    return [*blocks, _output(source="pooled", site="pooled")]


def _output(prefix: tuple[str, ...] = (), *, linear: bool = True, **site: Any) -> Layer:
    kernel = (*prefix, "dense_output", "kernel")
    return Layer(
        "output", "output", kernel=kernel, product=_dense, linear=linear, **site
    )


def _sites(module: Any, count: int) -> list[dict[str, Any]]:
    """Return the noise sites on the input and after each hidden layer."""
    schemes = tuple(module.hidden_noise) + (None,) * count
    sites = [("input", "input", "input_noise", module.input_noise)]
    sites += [
        (f"hidden_{i}", f"hidden {i + 1}", f"noise_{i}", schemes[i])
        for i in range(count)
    ]
    fields = ("source", "site", "noise_layer", "scheme")
    return [dict(zip(fields, site, strict=True)) for site in sites]


def _dense(x: Array, kernel: Array) -> Array:
    return jnp.matmul(x.reshape(x.shape[0], -1), kernel, precision="highest")


def _convolution(x: Array, kernel: Array) -> Array:
    dimensions = ("NHWC", "HWIO", "NHWC")
    options = {"dimension_numbers": dimensions, "precision": lax.Precision.HIGHEST}
    return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", **options)
