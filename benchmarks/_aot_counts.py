"""Counts operations, memory, kernels and collectives of a compiled program."""

import re
import statistics
import time
from typing import Any

import jax
from jax import numpy as jnp

COLLECTIVES = (
    *("all-reduce", "all-gather", "reduce-scatter", "all-to-all"),
    *("collective-permute", "collective-broadcast"),
)

NO_KERNEL = frozenset(
    (
        *("parameter", "constant", "tuple", "get-tuple-element", "bitcast"),
        *("after-all", "partition-id", "replica-id", "opt-barrier", "add-dependency"),
        *("call", "while", "conditional", "async-start", "async-done", "async-update"),
    )
)
"""Opcodes that launch nothing of their own."""

BYTES = {"pred": 1, "bf16": 2, "f16": 2, "token": 0}
"""Bytes of an element where the type's name does not say its bits."""

COMPUTATION = re.compile(r"^(ENTRY )?%?([\w.\-]+) \(.*\{\s*$")
# The opcode is the first word before "(" behind the type; types hold no such word.
INSTRUCTION = re.compile(r"^\s+(?:ROOT )?%?[\w.\-]+ = (.+?) ([a-z][a-z0-9\-]*)\(")
SHAPE = re.compile(r"\b([a-z]+\d*[a-z0-9]*)\[([\d,]*)\]")
CALLED = re.compile(
    r"(?:body|condition|true_computation|false_computation)=%?([\w.\-]+)"
    r"|branch_computations=\{([^}]*)\}"
)
CALLS = re.compile(r"(?:to_apply|calls)=%?([\w.\-]+)")


ROUNDS, CALLS_PER_ROUND = 7, 20


def count(lowered: Any, arguments: Any = None) -> dict[str, Any]:
    """Compile a program and count what it does on one device.

    Args:
      lowered: the result of `jax.jit(fn).lower(...)`.
      arguments: shapes of arguments, to run the program on generated values; or None.

    Returns:
      flops (None where the compiler does not count them), temporary_bytes, kernels,
      collectives (kind -> [number, bytes of the results]; those in a loop are a kind of
      their own) and compile_s. A loop's body counts once. With `arguments` also
      seconds, the median over rounds of the time per call, 20 calls in a row.
    """
    start = time.monotonic()
    compiled = lowered.compile()
    seconds = time.monotonic() - start
    costs = compiled.cost_analysis() or {}
    kernels, collectives = _count_instructions(compiled.as_text())
    return {
        "flops": costs.get("flops"),
        "temporary_bytes": compiled.memory_analysis().temp_size_in_bytes,
        "kernels": kernels,
        "collectives": collectives,
        "compile_s": round(seconds, 2),
        **({} if arguments is None else {"seconds": _time(compiled, arguments)}),
    }


def _time(compiled: Any, shapes: Any) -> float:
    arguments = jax.tree.map(_make_up, shapes)
    rounds = []
    for _ in range(ROUNDS + 1):
        start = time.perf_counter()
        for _ in range(CALLS_PER_ROUND):
            result = compiled(*arguments)
        jax.block_until_ready(result)
        rounds.append((time.perf_counter() - start) / CALLS_PER_ROUND)
    return float(f"{statistics.median(rounds[1:]):.4g}")


def _make_up(shape: Any) -> Any:
    """Return small positive numbers, class indices or keys of the given shape."""
    key = jax.random.key(0)
    if jax.dtypes.issubdtype(shape.dtype, jax.dtypes.prng_key):
        made = jax.random.split(key, shape.shape)
    elif jnp.issubdtype(shape.dtype, jnp.integer):
        made = jax.random.randint(key, shape.shape, 0, 10, shape.dtype)
    else:
        made = jax.random.uniform(key, shape.shape, shape.dtype, 0.01, 0.1)
    return jax.device_put(made, shape.sharding)


def _count_instructions(text: str) -> tuple[int, dict[str, list[int]]]:
    """Count kernels and collectives of the computations that run, unless fused."""
    bodies, entry = _computations(text)
    kernels, collectives = 0, {}
    todo, seen = [(entry, "")], set()
    while todo:
        name, where = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        for line in bodies.get(name, ()):
            found = INSTRUCTION.match(line)
            if not found:
                continue
            shape, opcode = found.groups()
            kind = opcode.removesuffix("-start")
            if kind in COLLECTIVES:
                number, size = collectives.get(kind + where, [0, 0])
                collectives[kind + where] = [number + 1, size + _bytes(shape)]
            elif opcode not in NO_KERNEL and not opcode.endswith("-done"):
                kernels += 1
            inner = " in a loop" if opcode == "while" else where
            for one, several in CALLED.findall(line):
                names = (one or several).split(",")
                todo += [(n.strip(" %"), inner) for n in names]
            if opcode in ("call", "async-start"):
                todo += [(n, where) for n in CALLS.findall(line)]
    return kernels, collectives


def _computations(text: str) -> tuple[dict[str, list[str]], str]:
    """Return the lines of each computation, and the name of the entry computation."""
    bodies, entry, lines = {}, "", []
    for line in text.splitlines():
        head = COMPUTATION.match(line)
        if head and not line.startswith(" "):
            lines = bodies.setdefault(head.group(2), [])
            entry = head.group(2) if head.group(1) else entry
        else:
            lines.append(line)
    return bodies, entry


def _bytes(shape: str) -> int:
    """Return the bytes of all arrays of a type, such as (f32[8,4]{1,0}, u32[])."""
    total = 0
    for kind, sizes in SHAPE.findall(shape):
        bits = re.search(r"\d+", kind)
        size = BYTES.get(kind) or (int(bits.group()) // 8 if bits else 0)
        for axis in filter(None, sizes.split(",")):
            size *= int(axis)
        total += size
    return total
