"""Robustness: kills and damage that runs survive, and the time of a resume.

  python -m benchmarks.robustness [--kills=100] [--damages=500] [--resumes=5] [--seed=0]

kills real processes (kill -9) before file operations and at any time, damages files of
runs, and compares each resumed run with the undisturbed one: parameters, test errors
and metrics, bit for bit. The first difference is an error. Otherwise the counts are
written to benchmarks/results/robustness.json.
"""

import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import pytest
from absl import app, flags, logging
from tqdm import tqdm

from benchmarks._machine import machine
from tests.commands.command import Runner
from tests.robustness.damages import Damages
from tests.robustness.kills import (
    FIELDS,
    check_same_run,
    kill_until_finished,
    undisturbed,
)

KILLS = flags.DEFINE_integer("kills", 100, "How often processes are killed.")
DAMAGES = flags.DEFINE_integer("damages", 500, "Folders that are damaged.")
RESUMES = flags.DEFINE_integer("resumes", 5, "Resumes whose seconds are taken.")
SEED = flags.DEFINE_integer("seed", 0, "Of all that is drawn.")

RESULTS = pathlib.Path(__file__).parent / "results" / "robustness.json"


def survive_kills(folder: pathlib.Path, rng: np.random.Generator) -> dict[str, int]:
    """Kill runs until the number of kills is reached."""
    runner = Runner(folder)
    kills = runs = 0
    try:
        reference = undisturbed(runner, folder / "reference")
        with tqdm(total=KILLS.value, desc="kills") as bar:
            while kills < KILLS.value:
                path = folder / f"run {runs}"
                left = KILLS.value - kills
                done = kill_until_finished(runner, reference, path, rng, left)
                check_same_run(reference, path)
                kills, runs = kills + done, runs + 1
                bar.update(done)
    finally:
        runner.close()
    return {
        "kills": kills,
        "runs": runs,
        "file_operations_of_a_run": reference.operations,
    }


def survive_damages(folder: pathlib.Path, rng: np.random.Generator) -> dict[str, int]:
    """Damage folders in several states, of one to three files each."""
    files = 0
    with pytest.MonkeyPatch.context() as monkeypatch:
        damages = Damages(monkeypatch, folder)
        for number in tqdm(range(DAMAGES.value), desc="damages"):
            files += len(damages.survive(rng, number))
    return {"damaged_folders": DAMAGES.value, "damages": files}


def time_resumes(folder: pathlib.Path) -> dict[str, float | int | None]:
    """Time `--resume` on trained runs without a summary, so without training."""
    train = [sys.executable, "-m", "noisejax.train", f"--workdir={folder}", *FIELDS]
    subprocess.run(train, check=True, capture_output=True)
    seconds = []
    for _ in range(RESUMES.value):
        (folder / "summary.json").unlink()
        began = time.perf_counter()
        subprocess.run([*train, "--resume"], check=True, capture_output=True)
        seconds.append(time.perf_counter() - began)
    median = statistics.median(seconds) if seconds else None
    return {"resumes": len(seconds), "median_seconds_per_resume": median}


def main(argv: list[str]) -> None:
    """Run all three parts, and write the counts."""
    if len(argv) > 1:
        raise app.UsageError(f"no arguments besides flags, got {argv[1:]}")
    logging.set_verbosity(logging.ERROR)  # each damage is warned of
    rng = np.random.default_rng(SEED.value)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for part in ("kills", "damages", "resume"):
            (folder / part).mkdir()
        survived = {
            **survive_kills(folder / "kills", rng),
            **survive_damages(folder / "damages", rng),
            **time_resumes(folder / "resume" / "run"),
        }
    record = {"seed": SEED.value, "survived": survived, "machine": machine()}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(record, indent=2) + "\n")
    print(json.dumps(survived, indent=2))


if __name__ == "__main__":
    app.run(main)
