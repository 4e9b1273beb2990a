"""Every experiment, end to end on generated data: each distinct network once.

Rows whose run another experiment has done already, configuration for configuration, are
not trained again: the finished run is put where the row looks for it.
"""

import json
import shutil

import pytest

from noisejax import reproduction, training
from noisejax.experiments import EXPERIMENTS
from noisejax.reproduction._configuration import row_config
from noisejax.reproduction._listing import find_rows
from tests.reproduction.tiny import results


@pytest.fixture(scope="module")
def finished():
    """Configuration -> folder of the run that has it."""
    return {}


def identity(config):
    return json.dumps(training.to_dict(config), sort_keys=True)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_smoke(name, tmp_path_factory, finished):
    experiment = EXPERIMENTS[name]
    folder = tmp_path_factory.mktemp(name)
    rows = find_rows(experiment, "smoke", ())
    configs = {}
    if experiment.kind != "computed":
        configs = {row.name: row_config(experiment, row, "smoke") for row in rows}
    work = folder / "work"
    prepared = {
        row: finished[identity(config)]
        for row, config in configs.items()
        if identity(config) in finished
    }

    def train(config, path, **options):
        if path.name in prepared and not path.exists():
            shutil.copytree(prepared[path.name], path)
        return real(config, path, **options)

    real = training.train
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "train", train)
        reproduction.reproduce(experiment, work, scale="smoke")
    for row, config in configs.items():
        finished.setdefault(identity(config), work / "rows" / row)
    check(experiment, work, rows)


def check(experiment, work, rows):
    """Each row has its numbers, and the table and the figure are there."""
    found = {result["row"]: result for result in results(work)}
    assert set(found) == {row.name for row in rows}
    for result in found.values():
        if "failed" not in result:
            numbers = set(result["numbers"])
            assert numbers & set(experiment.metrics), numbers
    reported = {metric for result in found.values() for metric in result["numbers"]}
    assert set(experiment.metrics) <= reported
    assert (work / f"{experiment.name}.png").stat().st_size > 5_000
    table = (work / "table.md").read_text()
    assert table.startswith(f"# {experiment.title}\n")
    assert "not run" in table or len(rows) == len(experiment.rows)
    for claim in experiment.claims:
        assert claim.text in table


def test_every_measurement_and_metric_has_its_function():
    from noisejax.experiments import MEASUREMENTS
    from noisejax.reproduction._computed import COMPUTED
    from noisejax.reproduction._measurements import MEASUREMENTS as MEASURED

    assert set(MEASUREMENTS) == set(COMPUTED) | set(MEASURED)
    for experiment in EXPERIMENTS.values():
        known = COMPUTED if experiment.kind == "computed" else MEASURED
        assert set(experiment.measurements) <= set(known)
