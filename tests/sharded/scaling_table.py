"""Writes the tables of docs/scaling.md, in some minutes on two cores:

XLA_FLAGS=--xla_force_host_platform_device_count=8 python -m tests.sharded.scaling_table
"""

import itertools
import json
import os
import pathlib
import re
import tempfile

import jax
import numpy as np

from noisejax import training
from tests import golden
from tests.commands.command import Runner
from tests.sharded.pair import DEVICES, Pair

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "scaling.md"

FIELDS = (
    *("--config.model.widths=(64,)", "--config.training.batch_size=40"),
    *("--config.training.epochs=2", "--config.data.validation=0"),
)

OTHER_MASKS = "--config.noise.bits=8"

OBJECTIVES = {
    "one sample": (),
    "8 samples": ("--config.objective.num_samples=8",),
    "8 seeds": ("--config.training.num_seeds=8",),
    "5 microbatches": ("--config.training.microbatches=5",),
    "streamed": ("--config.data.stream=stream",),
}

CASES = [
    ("one sample", 1, (1, 1)),
    ("one sample", 1, (2, 1)),
    ("one sample", 1, (4, 1)),
    ("one sample", 1, (8, 1)),
    ("one sample", 2, (2, 1)),
    ("one sample", 2, (4, 1)),
    ("one sample", 2, (8, 1)),
    ("8 samples", 1, (8, 1)),
    ("8 samples", 1, (4, 2)),
    ("8 samples", 1, (1, 8)),
    ("8 seeds", 1, (2, 4)),
    ("8 seeds", 2, (1, 8)),
    ("5 microbatches", 1, (8, 1)),
    ("streamed", 1, (8, 1)),
    ("streamed", 2, (8, 1)),
]
"""What, on how many processes, over which mesh."""

PLACES = {
    "1 device": (1, (1, 1)),
    "2 devices": (1, (2, 1)),
    "8 devices": (1, (8, 1)),
    "2 processes, 4 devices": (2, (4, 1)),
}
"""Between which runs are saved and restored."""


class Machine:
    """Starts the runs."""

    def __init__(self, folder):
        self.folder = folder
        self.alone = Runner(folder)
        self.pair = Pair(folder)
        self.names = (f"{i}" for i in itertools.count())

    def new(self):
        return self.folder / "runs" / next(self.names)

    def start(self, module, processes, devices, *arguments):
        """Return the output of the first process."""
        if processes == 1:
            environment = {"XLA_FLAGS": DEVICES.format(devices)}
            result = self.alone.run(module, *arguments, environment=environment)
        else:
            result = self.pair.run(module, *arguments, devices=devices // processes)[0]
        assert result.status == 0, result.output
        return result.output

    def train(self, place, *arguments, workdir):
        processes, (data, samples) = place
        output = self.start(
            "tests.sharded.measured",
            processes,
            data * samples,
            *FIELDS,
            *arguments,
            f"--config.mesh.data={data}",
            f"--config.mesh.samples={samples}",
            f"--workdir={workdir}",
        )
        return json.loads(re.search("sent: (.*)", output)[1])

    def masks(self, processes, devices):
        output = self.start("tests.sharded.masks", processes, devices)
        there, found = json.loads(re.search("masks: (.*)", output)[1])
        assert there == devices
        return found == {name: golden.HASHES[name] for name in golden.SCHEMES}

    def close(self):
        self.alone.close()
        self.pair.close()


def parameters(workdir, seeds=1):
    """Return the numbers of all seeds in one row."""
    trained = [training.load_run(workdir, seed=seed) for seed in range(seeds)]
    return np.concatenate(
        [np.ravel(leaf) for t in trained for leaf in jax.tree.leaves(t.variables)]
    )


def difference(workdir, expected, seeds=1):
    return float(np.abs(parameters(workdir, seeds) - expected).max())


def runs(machine):
    """Return the rows of the first table, and the folder of the run on one device."""
    expected, masks, rows, first = {}, {}, [], None
    for name, processes, mesh in CASES:
        seeds = 8 if name == "8 seeds" else 1
        if name not in expected:
            workdir = machine.new()
            machine.train((1, (1, 1)), *OBJECTIVES[name], workdir=workdir)
            expected[name] = parameters(workdir, seeds)
            first = first or workdir
        where = processes, mesh[0] * mesh[1]
        if where not in masks:
            masks[where] = machine.masks(*where)
        workdir = machine.new()
        found = machine.train((processes, mesh), *OBJECTIVES[name], workdir=workdir)
        sent = {k: v for k, v in found["sent"].items() if v}
        rows.append(
            [
                name,
                processes,
                mesh[0] * mesh[1],
                f"{mesh[0]} x {mesh[1]}",
                "all" if masks[where] else "NOT ALL",
                f"{difference(workdir, expected[name], seeds):.1e}",
                f"{sum(sent.values()):,.0f}",
                ", ".join(f"{k} {v:,.0f}" for k, v in sorted(sent.items())) or "-",
            ]
        )
        print(rows[-1], flush=True)
    workdir = machine.new()
    found = machine.train((1, (1, 1)), OTHER_MASKS, workdir=workdir)
    other = difference(workdir, expected["one sample"])
    return rows, expected["one sample"], found, other


def restored(machine, expected):
    """Return the rows of the second table: differences from the unstopped run."""
    rows = []
    for saved, place in PLACES.items():
        rows.append([saved])
        for other in PLACES.values():
            workdir = machine.new()
            machine.train(place, "--stop=1", workdir=workdir)
            machine.train(other, workdir=workdir)
            rows[-1].append(f"{difference(workdir, expected):.1e}")
        print(rows[-1], flush=True)
    return rows


def as_markdown(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def main():
    assert jax.device_count() >= 8, "set XLA_FLAGS as the first lines say"
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(pathlib.Path(folder))
        try:
            rows, expected, found, other = runs(machine)
            matrix = restored(machine, expected)
        finally:
            machine.close()
    head = [
        *("what", "processes", "devices", "mesh.data x mesh.samples"),
        *("golden masks", "largest difference", "bytes a step", "of these"),
    ]
    text = (
        f"JAX {jax.__version__}, {os.uname().machine}, forced host devices; "
        f"{2 * found['steps']} steps, {found['gradients']:,} bytes of parameters, "
        f"the largest {np.abs(expected).max():.2f}; with other masks of the same law "
        f"(noise.bits=8) the largest difference is {other:.1e}.\n\n"
        f"{as_markdown(head, rows)}\n\n"
        "Saved after half of the steps (rows), restored for the rest (columns): the "
        "largest difference from the run that never stopped on one device.\n\n"
        f"{as_markdown(['saved on', *PLACES], matrix)}\n"
    )
    page = PAGE.read_text()
    begin, end = "<!-- tables -->\n", "<!-- end of tables -->"
    before, rest = page.split(begin)
    PAGE.write_text(f"{before}{begin}\n{text}\n{end}{rest.split(end)[1]}")


if __name__ == "__main__":
    main()
