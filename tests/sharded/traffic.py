"""Reads the communication of a compiled program from its HLO text."""

import collections
import re

BYTES = {
    "pred": 1,
    "s8": 1,
    "u8": 1,
    "s16": 2,
    "u16": 2,
    "f16": 2,
    "bf16": 2,
    "s32": 4,
    "u32": 4,
    "f32": 4,
    "s64": 8,
    "u64": 8,
    "f64": 8,
}

COLLECTIVES = (
    *("all-reduce", "all-gather", "all-to-all", "reduce-scatter"),
    *("collective-permute", "collective-broadcast"),
)


def traffic(text):
    """Kind -> bytes of the results of all collectives that one call runs, per device.

    Loops count as often as they run; HLO says how often where it is known.
    """
    computations, entry = _computations(text)

    def total(name):
        found = collections.Counter()
        for line in computations[name]:
            kind = re.search(rf" ({'|'.join(COLLECTIVES)})(-start)?\(", line)
            if kind:
                found[kind[1]] += _size(line[: kind.start()].split(" = ", 1)[1])
            times = 1
            if " while(" in line:
                trips = re.search(r'known_trip_count"?:\{"n":"(\d+)"', line)
                inside = total(re.search(r"body=%?([\w.-]+)", line)[1])
                assert trips or not inside, f"how often does this run? {line}"
                times = int(trips[1]) if trips else 1
                _add(found, inside, times)
            elif not kind:
                for called in re.findall(r"(?:to_apply|calls)=%?([\w.-]+)", line):
                    _add(found, total(called), 1)
        return found

    return dict(total(entry))


def _add(found, more, times):
    for kind, size in more.items():
        found[kind] += times * size


def _computations(text):
    """Return name -> lines of each computation, and the entry computation."""
    found, entry, name = {}, None, None
    for line in text.splitlines():
        head = re.match(r"(ENTRY )?%?([\w.-]+) \(.*\{$", line)
        if head:
            name = head[2]
            found[name] = []
            entry = name if head[1] else entry
        elif name:
            found[name].append(line)
    return found, entry


def _size(shapes):
    """Return the bytes of a type such as f32[16,3]{1,0}, or of a tuple."""
    size = 0
    for dtype, dims in re.findall(r"(\w+)\[([\d,]*)\]", shapes):
        count = 1
        for n in dims.split(","):
            count *= int(n or 1)
        size += BYTES[dtype] * count
    return size
