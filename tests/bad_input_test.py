"""Bad input raises an error of noisejax: the rule, what was received, what to do."""

import importlib
import inspect
import pathlib

import pytest

import noisejax
from tests.bad_inputs.back_projection import BACK_PROJECTION
from tests.bad_inputs.data import DATA
from tests.bad_inputs.diagnostics import DIAGNOSTICS
from tests.bad_inputs.layers import LINEN, MODELS, NNX
from tests.bad_inputs.objectives import ACTIVATIONS, OBJECTIVES

PACKAGE = pathlib.Path(noisejax.__file__).parent

TABLES = {
    "activations": ACTIVATIONS,
    "objectives": OBJECTIVES,
    "backprojection": BACK_PROJECTION,
    "diagnostics": DIAGNOSTICS,
    "data": DATA,
    "layers": LINEN,
    "layers.nnx": NNX,
    "models": MODELS,
}

CASES = {
    f"{module}.{case}": entry
    for module, table in TABLES.items()
    for case, entry in table.items()
}

ACCEPT_ALL = {
    "activations.exponential_shape": "an elementwise formula of any array",
    "objectives.effective_samples": "a formula of any array",
    "backprojection.Method": "a base class",
    "backprojection.stable_descent": "one switch",
    "diagnostics.plain_activation": "returns any other function unchanged",
    "diagnostics.start_gradient_average": "any tree of arrays",
    "diagnostics.update_gradient_average": "JAX checks the structure of the trees",
    "data.load_digits": "no argument",
    "data.dataset_names": "no argument",
    "data.preparable_names": "no argument",
    "data.code_quality": "arrays of other functions",
    "data.naive_guess": "arrays of other functions",
    "data.normalise_contrast": "any examples",
    "data.fit_standardisation": "any examples",
    "data.generate_splicing": "any seed",
    "layers.NoiseLayer": "a base class",
    "layers.nnx.NoiseLayer": "a base class",
    "models.Stage": "a plain record",
    "models.bfloat16_convolutions": "called by Flax",
    "models.flat_products": "called by Flax",
    "models.convolutions": "called by Flax",
    "models.bfloat16_products": "called by Flax",
}
"""Public names for which no input is bad, with the reason."""


@pytest.mark.parametrize(("call", "match"), CASES.values(), ids=CASES.keys())
def test_bad_input_is_an_error_of_ours(call, match):
    """The error is raised by noisejax, not by a library that it calls."""
    with pytest.raises((ValueError, TypeError, FileNotFoundError), match=match) as info:
        call()
    assert PACKAGE in pathlib.Path(info.traceback[-1].path).parents


@pytest.mark.parametrize("name", TABLES)
def test_every_public_function_is_in_a_table(name):
    module = importlib.import_module(f"noisejax.{name}")
    tested = {case.partition(":")[0] for case in TABLES[name]}
    for public, value in vars(module).items():
        is_ours = getattr(value, "__module__", "").startswith("noisejax")
        if public.startswith("_") or not callable(value) or not is_ours:
            continue
        if inspect.isclass(value) and hasattr(value, "__dataclass_fields__"):
            is_result = name not in ("layers", "models")
            if is_result:
                continue
        if f"{name}.{public}" not in ACCEPT_ALL:
            assert public in tested, f"{name}.{public}"
