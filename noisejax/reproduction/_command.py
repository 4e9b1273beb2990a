"""The commands that give a table: which rows, with how many seeds, on whose runs."""

from collections.abc import Sequence

from noisejax.experiments import Experiment
from noisejax.reproduction._listing import find_rows
from noisejax.reproduction._results import Result


def commands(
    experiment: Experiment, scale: str, results: Sequence[Result]
) -> list[str]:
    """A command; several, one after another, where numbers of seeds differ.

    Args:
      experiment: that the results are of.
      scale: at which it was done.
      results: of whole rows.
    """
    usual = experiment.scales[scale].num_seeds
    rows_of: dict[int, list[str]] = {}
    for row in experiment.rows:
        for result in results:
            if result["row"] == row.name:
                fields = result["config"].get("training", {})
                rows = rows_of.setdefault(fields.get("num_seeds", usual), [])
                if row.name not in rows:
                    rows.append(row.name)
    expected = {row.name for row in find_rows(experiment, scale, ())}
    start = f"python -m noisejax.reproduce --experiment={experiment.name}"
    found = []
    for num_seeds, rows in rows_of.items():
        flags = [start, f"--scale={scale}"]
        if set(rows) != expected:
            flags.append(f"--only={','.join(rows)}")
        if num_seeds != usual:
            flags.append(f"--num_seeds={num_seeds}")
        others = {r["run_of"] for r in results if r["row"] in rows and "run_of" in r}
        if others:
            folders = ",".join(f"DIR_OF_{name}" for name in sorted(others))
            flags.append(f"--runs_from={folders}")
        found.append(" ".join([*flags, "--workdir=DIR"]))
    return found
