"""Public names, their signatures and their docstrings, by reflection."""

import dataclasses
import importlib
import inspect
import re
import typing

import pytest

import noisejax

MODULES = [
    *("noise", "activations", "objectives", "backprojection", "diagnostics"),
    *("figures", "layers", "layers.nnx"),
]

PINNED = {
    "noise": """
        Dropout RandomDropout GaussianDropout GaussianNoise DropPath SpatialDropout
        apply dropout random_dropout invariant_dropout gaussian_dropout gaussian_noise
        dropconnect drop_path spatial_dropout bernoulli_mask sample_rate mask_sample
        round_rate
    """,
    "activations": """
        gradient_acceleration gaaf exponential_shape shifted_sigmoid_shape gaaf_tanh
        gaaf_relu
    """,
    "objectives": "importance_weights iw_log_likelihood iwsgd",
    "backprojection": """
        back_project BackProjection gradient_descent stable_descent preconditioner
        preconditioned from_optax
    """,
    "diagnostics": """
        net_variance gradient_information node_correlations correlation_counts
        saturation
    """,
    "layers": "Noise Dropout RandomDropout InvariantDropout functional",
    "layers.nnx": "Noise Dropout RandomDropout InvariantDropout functional",
}
"""Names that are promised to users."""

SIGNATURES = {
    "noise.Dropout": "(rate, bits=32, broadcast_dims=(), scale=True)",
    "noise.GaussianDropout": "(rate",
    "noise.GaussianNoise": "(stddev",
    "noise.DropPath": "(rate",
    "noise.SpatialDropout": "(rate",
    "noise.Dropout.sample": "(self, key, shape, dtype=float32, out_sharding=None",
    "noise.apply": "(x, sample)",
    "noise.dropout": "(key, x, *, rate, bits=32, broadcast_dims=())",
    "noise.random_dropout": "(key, x, *, rate, bits=32, batch_dims=1)",
    "noise.invariant_dropout": "(key, x, beta, *, rate, bits=32)",
    "noise.bernoulli_mask": "(key, shape, *, rate, bits=32, out_sharding=None)",
    "noise.mask_sample": "(mask, *, rate=0.0)",
    "noise.round_rate": "(rate, *, bits)",
    "activations.gradient_acceleration": "(x, *, frequency=10000.0)",
    "activations.gaaf": ("(activation, shape_fn, *, frequency=10000.0, value='floor')"),
    "objectives.importance_weights": "(log_probs)",
    "objectives.iw_log_likelihood": "(log_probs)",
    "objectives.iwsgd": (
        "(log_prob_fn, *, num_samples, strategy='vmap', weighting='importance', "
        "has_aux=False)"
    ),
    "backprojection.back_project": (
        "(features_fn, params, x, targets, *, num_steps=20, method=None, "
        "layer_weights=None, per_layer=False, bounds=None)"
    ),
    "backprojection.gradient_descent": "(learning_rates)",
    "backprojection.preconditioned": "(setup=None",
    "backprojection.preconditioner": "(features_fn, params, x_sample",
    "backprojection.from_optax": "(tx)",
    "layers.Noise": "(scheme, shift=False",
    "layers.nnx.Noise": "(scheme, shift=False",
}


def public_names(module_name):
    module = importlib.import_module(f"noisejax.{module_name}")
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_")
        and not inspect.ismodule(value)
        and getattr(value, "__module__", "").startswith("noisejax")
    }


PUBLIC = {
    f"{module}.{name}": value
    for module in MODULES
    for name, value in public_names(module).items()
}


@pytest.mark.parametrize("module", PINNED)
def test_promised_names_exist(module):
    assert set(PINNED[module].split()) <= set(public_names(module))


def plain(parameter):
    return parameter.replace(annotation=parameter.empty)


@pytest.mark.parametrize("name", SIGNATURES)
def test_promised_signatures_hold(name):
    value = noisejax
    for part in name.split("."):
        value = getattr(value, part)
    function = value.__init__ if inspect.isclass(value) else value
    parameters = dict(inspect.signature(function).parameters)
    if inspect.isclass(value):
        del parameters["self"]
    signature = str(inspect.Signature(map(plain, parameters.values())))
    signature = signature.replace("<class 'jax.numpy.float32'>", "float32")
    assert signature.startswith(SIGNATURES[name]), signature


def documented(value):
    """True for public functions, and for classes whose instances users make."""
    if inspect.isclass(value):
        return not inspect.isabstract(value) and not value.__name__.endswith("Layer")
    return inspect.isfunction(value)


MADE_BY_USERS = ("noisejax.noise", "noisejax.activations", "noisejax.layers")
"""Modules whose classes users instantiate; other classes are results of functions."""

OPTIONAL = ("bias", "setup", "layers")
"""Arguments with a default that may be passed by position."""


@pytest.fixture(params=[name for name, value in PUBLIC.items() if documented(value)])
def item(request):
    return PUBLIC[request.param]


def test_the_docstring_has_a_summary_and_an_example(item):
    doc = inspect.getdoc(item)
    assert doc and doc.splitlines()[0].endswith((".", ":", ")")), doc
    is_result = inspect.isclass(item) and not item.__module__.startswith(MADE_BY_USERS)
    if not is_result and not item.__name__.endswith(("Sample", "Gaaf")):
        assert ">>>" in doc, "the docstring lacks an example"


def parameters(item):
    if inspect.isclass(item) and dataclasses.is_dataclass(item):
        return [f.name for f in dataclasses.fields(item) if f.name not in MODULE_FIELDS]
    function = item.__init__ if inspect.isclass(item) else item
    return [p for p in inspect.signature(function).parameters if p != "self"]


MODULE_FIELDS = {"parent", "name"}  # of Flax


def documentation(item):
    """Return an item's docstring, with those that it cites for its arguments."""
    doc = inspect.getdoc(item)
    package = item.__module__.partition("._")[0]
    for sentence in re.findall(r"Arguments: see (.*?)\.\s", doc + " ", flags=re.S):
        for name in re.findall("`(.+?)`", sentence):
            module, _, attribute = name.rpartition(".")
            module = f"noisejax.{module}" if module else package
            other = getattr(importlib.import_module(module), attribute)
            if other is not item:
                doc += documentation(other)
    return doc


def test_every_argument_is_described(item):
    doc = documentation(item)
    for name in parameters(item):
        assert f"{name}:" in doc or f", {name}:" in doc, f"{name} is not described"


def test_functions_describe_their_result_and_annotate_everything(item):
    if inspect.isclass(item):
        return
    doc = inspect.getdoc(item)
    assert "Returns:" in doc or "Yields:" in doc
    hints = typing.get_type_hints(item)
    missing = [p for p in [*parameters(item), "return"] if p not in hints]
    assert not missing, f"no annotation: {missing}"


def test_keys_are_called_key_and_come_first(item):
    names = parameters(item)
    assert not {"seed", "prng_key", "rng_key"} & set(names)
    if inspect.isfunction(item) and "key" in names:
        assert names[0] == "key"


def test_defaults_of_functions_of_arrays_are_keyword_only(item):
    if inspect.isclass(item):
        return
    for parameter in inspect.signature(item).parameters.values():
        if parameter.default is not parameter.empty and parameter.name not in OPTIONAL:
            assert parameter.kind is parameter.KEYWORD_ONLY, parameter


def test_the_version_is_that_of_the_package():
    from importlib import metadata

    assert noisejax.__version__ == metadata.version("noisejax")
