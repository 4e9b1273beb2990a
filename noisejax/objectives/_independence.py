"""Which steps treat the examples of a batch one by one, so that copies need one run."""

import enum
from collections.abc import Callable, Sequence
from typing import Any

from jax.extend.core import JaxprEqn, Literal

from noisejax.objectives._program import inner_jaxprs


class Status(enum.Enum):
    """What a value holds where the batch is S copies behind each other."""

    SHARED = "the same whatever S is"
    TILED = "S copies behind each other of its value for one copy"
    OTHER = "anything else, as far as we know"


def propagate(
    small: JaxprEqn, large: JaxprEqn, operands: Sequence[Status]
) -> list[Status]:
    """What the results of a step hold.

    Args:
      small: the step for one copy of the batch.
      large: the same step for S copies.
      operands: what its operands hold.

    Returns:
      A status per result; OTHER unless a rule says more.
    """
    unknown = [Status.OTHER] * len(large.outvars)
    name = large.primitive.name
    if name != small.primitive.name or large.effects or Status.OTHER in operands:
        return unknown
    for a, b in zip(small.invars, large.invars, strict=True):
        if isinstance(a, Literal) != isinstance(b, Literal):
            return unknown
        if isinstance(a, Literal) and not _equal(a.val, b.val):
            return unknown
    if name in _CALLS:
        return _propagate_call(small, large, operands) or unknown
    if not _same_params(small, large):
        return unknown
    same = all(
        a.aval.shape == b.aval.shape
        for a, b in zip(small.outvars, large.outvars, strict=True)
    )
    if Status.TILED not in operands:
        if same:
            return [Status.SHARED] * len(large.outvars)
        spread = name == "broadcast_in_dim" and _is_new_axis(large)
        return [Status.TILED] if spread else unknown
    keeps_apart = name in _ELEMENTWISE or (
        name in _RULES and _RULES[name](large.params, large, operands)
    )
    return [Status.TILED] * len(large.outvars) if keeps_apart else unknown


def _propagate_call(
    small: JaxprEqn, large: JaxprEqn, operands: Sequence[Status]
) -> list[Status] | None:
    """Through the one jaxpr of a call; None: not known."""
    bodies = [list(inner_jaxprs(eqn)) for eqn in (small, large)]
    if [len(body) for body in bodies] != [1, 1]:
        return None
    a, b = (getattr(body[0], "jaxpr", body[0]) for body in bodies)
    if a.constvars or b.constvars or len(a.eqns) != len(b.eqns):
        return None
    statuses = dict(zip(b.invars, operands, strict=True))
    places = dict(zip(a.invars, b.invars, strict=True))

    def read(atom):
        return Status.SHARED if isinstance(atom, Literal) else statuses[atom]

    for x, y in zip(a.eqns, b.eqns, strict=True):
        for u, v in zip(x.invars, y.invars, strict=True):
            if not isinstance(u, Literal) and places[u] is not v:
                return None
        places.update(zip(x.outvars, y.outvars, strict=True))
        results = propagate(x, y, [read(atom) for atom in y.invars])
        statuses.update(zip(y.outvars, results, strict=True))
    return [read(atom) for atom in b.outvars]


def _same_params(small: JaxprEqn, large: JaxprEqn) -> bool:
    return all(
        name in _SHAPES or _equal(value, large.params[name])
        for name, value in small.params.items()
    )


def _equal(a: Any, b: Any) -> bool:
    """Also of arrays: equal in every place."""
    equal = a == b
    return bool(equal.all()) if hasattr(equal, "all") else bool(equal)


def _is_new_axis(eqn: JaxprEqn) -> bool:
    """Whether the first axis of a broadcast holds the same value everywhere."""
    axes, shape = eqn.params["broadcast_dimensions"], eqn.invars[0].aval.shape
    return 0 not in axes or shape[axes.index(0)] == 1


def _dot(p: dict, eqn: JaxprEqn, operands: Sequence[Status]) -> bool:
    (left, _), (left_batch, right_batch) = p["dimension_numbers"]
    if operands[1] is Status.TILED:
        return left_batch[:1] == right_batch[:1] == (0,)
    return 0 not in left and not left_batch


def _conv(p: dict, eqn: JaxprEqn, operands: Sequence[Status]) -> bool:
    numbers = p["dimension_numbers"]
    examples_first = numbers.lhs_spec[0] == numbers.out_spec[0] == 0
    shared_kernel = operands[1] is Status.SHARED
    return examples_first and shared_kernel and p["batch_group_count"] == 1


def _window(p: dict, eqn: JaxprEqn, operands: Sequence[Status]) -> bool:
    one_wide = p["window_dimensions"][0] == p["window_strides"][0] == 1
    return one_wide and tuple(p["padding"][0]) == (0, 0)


def _gather(p: dict, eqn: JaxprEqn, operands: Sequence[Status]) -> bool:
    numbers = p["dimension_numbers"]
    looked_up = operands[0] is Status.SHARED and not numbers.operand_batching_dims
    return looked_up and 0 not in numbers.offset_dims


def _slice(p: dict, eqn: JaxprEqn, operands: Sequence[Status]) -> bool:
    whole = p["limit_indices"][0] == eqn.invars[0].aval.shape[0]
    return whole and not p["start_indices"][0] and (p["strides"] or (1,))[0] == 1


_Rule = Callable[[dict, JaxprEqn, Sequence[Status]], bool]

_RULES: dict[str, _Rule] = {
    "dot_general": _dot,
    "conv_general_dilated": _conv,
    "gather": _gather,
    "slice": _slice,
    "broadcast_in_dim": lambda p, e, o: p["broadcast_dimensions"][:1] == (0,),
    "reshape": lambda p, e, o: (
        p["dimensions"] is None and p["new_sizes"][:1] == e.invars[0].aval.shape[:1]
    ),
    "transpose": lambda p, e, o: p["permutation"][0] == 0,
    "squeeze": lambda p, e, o: 0 not in p["dimensions"],
    "rev": lambda p, e, o: 0 not in p["dimensions"],
    "concatenate": lambda p, e, o: p["dimension"] != 0 and Status.SHARED not in o,
    "pad": lambda p, e, o: tuple(p["padding_config"][0]) == (0, 0, 0),
}
_RULES |= {
    f"reduce_{kind}": lambda p, e, o: 0 not in p["axes"]
    for kind in ("sum", "max", "min", "prod", "and", "or")
}
_RULES |= dict.fromkeys(("argmax", "argmin"), _RULES["reduce_sum"])
_RULES |= {f"reduce_window_{kind}": _window for kind in ("sum", "max", "min")}
"""Primitive -> whether a step on tiled operands treats the first axis one by one."""

_SHAPES = ("shape", "new_sizes", "limit_indices", "sharding", "out_sharding")
"""Parameters that follow from the shapes."""

_CALLS = ("jit", "pjit", "custom_jvp_call", "custom_vjp_call", "checkpoint", "remat2")

_ELEMENTWISE = frozenset(
    [
        "abs",
        "acos",
        "acosh",
        "add",
        "add_any",
        "and",
        "asin",
        "asinh",
        "atan",
        "atan2",
        "atanh",
        "cbrt",
        "ceil",
        "clamp",
        "convert_element_type",
        "copy",
        "copy_p",
        "cos",
        "cosh",
        "div",
        "eq",
        "erf",
        "erf_inv",
        "erfc",
        "exp",
        "exp2",
        "expm1",
        "floor",
        "ge",
        "gt",
        "integer_pow",
        "is_finite",
        "le",
        "log",
        "log1p",
        "logistic",
        "lt",
        "max",
        "min",
        "mul",
        "ne",
        "neg",
        "not",
        "or",
        "pow",
        "reduce_precision",
        "rem",
        "round",
        "rsqrt",
        "select_n",
        "sign",
        "sin",
        "sinh",
        "sqrt",
        "square",
        "stop_gradient",
        "sub",
        "tan",
        "tanh",
        "xor",
    ]
)
