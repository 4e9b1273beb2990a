"""A traced function as a list of steps, which can be run in parts."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, JaxprEqn, Literal

PRODUCTS = ("dot_general", "conv_general_dilated", "ragged_dot_general")
"""Primitives that are worth doing once."""


@dataclasses.dataclass(frozen=True)
class Step:
    """One primitive: where its operands are, and where its results go.

    Attributes:
      eqn: of the jaxpr.
      inputs: slots; or literals, which are values.
      outputs: slots.
    """

    eqn: JaxprEqn
    inputs: tuple[int | Literal, ...]
    outputs: tuple[int, ...]

    @property
    def reads(self) -> Iterator[int]:
        """The slots that it needs."""
        return (slot for slot in self.inputs if isinstance(slot, int))

    @property
    def has_product(self) -> bool:
        """Whether it is a product, or has one within it."""
        return _has_product(self.eqn)

    def run(self, values: dict[int, Any]) -> None:
        """Computes the results from, and into, the values of the slots."""
        operands = [
            values[slot] if isinstance(slot, int) else slot.val for slot in self.inputs
        ]
        primitive = self.eqn.primitive
        with self.eqn.ctx.manager:
            results = primitive.bind(
                *operands, **primitive.get_bind_params(self.eqn.params)
            )
        results = results if primitive.multiple_results else [results]
        values.update(zip(self.outputs, results, strict=True))


@dataclasses.dataclass(frozen=True)
class Program:
    """The steps of a function of (params, noise, batch).

    Attributes:
      steps: in order; calls with products in them are written out.
      constants: slot -> value of what the function closes over.
      inputs: the slots of the arrays among the arguments.
      origins: for each of them "params", "noise" or "batch".
      outputs: slots or literals of the results.
      rebuild: makes the function's result of its arrays.
      avals: shape and dtype of each slot.
    """

    steps: list[Step]
    constants: dict[int, Any]
    inputs: list[int]
    origins: list[str]
    outputs: list[int | Literal]
    rebuild: Callable[[Sequence[Any]], Any]
    avals: list[Any]

    def start(self, arguments: tuple) -> dict[int, Any]:
        """The values of the slots before the first step."""
        arrays = [leaf for leaf in jax.tree.leaves(arguments) if is_array(leaf)]
        return self.constants | dict(zip(self.inputs, arrays, strict=True))

    def finish(self, values: dict[int, Any]) -> Any:
        """The function's result, when all steps were run."""
        return self.rebuild(
            [
                values[slot] if isinstance(slot, int) else slot.val
                for slot in self.outputs
            ]
        )


def is_array(leaf: Any) -> bool:
    """Whether a leaf of the arguments is traced; others are handed on as they are."""
    return isinstance(leaf, jax.Array | np.ndarray | np.generic | jax.ShapeDtypeStruct)


def trace(function: Callable[..., Any], params: Any, noise: Any, batch: Any) -> Program:
    """Traces `function`; arrays may stand for their shapes and dtypes."""
    trees = {"params": params, "noise": noise, "batch": batch}
    leaves, tree = jax.tree.flatten(tuple(trees.values()))
    traced = [is_array(leaf) for leaf in leaves]
    origins = [name for name, t in trees.items() for _ in jax.tree.leaves(t)]
    result = []

    def flat(*arrays):
        rest = iter(arrays)
        full = [
            next(rest) if is_traced else leaf
            for leaf, is_traced in zip(leaves, traced, strict=True)
        ]
        values, result_tree = jax.tree.flatten(function(*tree.unflatten(full)))
        result.append(result_tree)
        return values

    arrays = [leaf for leaf, is_traced in zip(leaves, traced, strict=True) if is_traced]
    closed = jax.make_jaxpr(flat)(*arrays)
    writer = _Writer()
    inputs = [writer.new(var.aval) for var in closed.jaxpr.invars]
    outputs = writer.write(closed, inputs)
    kept = zip(origins, traced, strict=True)
    return Program(
        writer.steps,
        writer.constants,
        inputs,
        [origin for origin, is_traced in kept if is_traced],
        outputs,
        result[-1].unflatten,
        writer.avals,
    )


def inner_jaxprs(eqn: JaxprEqn) -> Iterator[ClosedJaxpr | Any]:
    """The jaxprs among the parameters of a primitive."""
    for value in eqn.params.values():
        for item in value if isinstance(value, tuple | list) else (value,):
            if hasattr(item, "eqns"):
                yield item


def equations(jaxpr: ClosedJaxpr | Any) -> Iterable[JaxprEqn]:
    """All equations of a jaxpr and of the jaxprs in it."""
    for eqn in jaxpr.eqns:
        yield eqn
        for inner in inner_jaxprs(eqn):
            yield from equations(inner)


def _has_product(eqn: JaxprEqn) -> bool:
    inner = (e for jaxpr in inner_jaxprs(eqn) for e in equations(jaxpr))
    return any(e.primitive.name in PRODUCTS for e in (eqn, *inner))


class _Writer:
    """Writes jaxprs out as steps."""

    def __init__(self):
        self.steps: list[Step] = []
        self.constants: dict[int, Any] = {}
        self.avals: list[Any] = []

    def new(self, aval: Any) -> int:
        self.avals.append(aval)
        return len(self.avals) - 1

    def write(self, closed: ClosedJaxpr, inputs: Sequence[int | Literal]) -> list:
        jaxpr = closed.jaxpr
        slots = dict(zip(jaxpr.invars, inputs, strict=True))
        for var, value in zip(jaxpr.constvars, closed.consts, strict=True):
            slots[var] = self.new(var.aval)
            self.constants[slots[var]] = value

        def read(atom):
            return atom if isinstance(atom, Literal) else slots[atom]

        for eqn in jaxpr.eqns:
            operands = [read(atom) for atom in eqn.invars]
            inner = eqn.params.get("jaxpr")
            # Small calls stay whole: they are quick also where nothing is compiled.
            if eqn.primitive.name in ("jit", "pjit") and _has_product(eqn):
                slots.update(zip(eqn.outvars, self.write(inner, operands), strict=True))
                continue
            results = [self.new(var.aval) for var in eqn.outvars]
            slots.update(zip(eqn.outvars, results, strict=True))
            self.steps.append(Step(eqn, tuple(operands), tuple(results)))
        return [read(atom) for atom in jaxpr.outvars]
