"""Every experiment, end to end on generated data: each network of all of them once.

An experiment runs those rows whose network or other setting no experiment before it
had, and at least its first row, on the run of an earlier experiment if there is one.
"""

import pytest

from noisejax import reproduce
from noisejax.experiments import EXPERIMENTS, MEASUREMENTS
from noisejax.reproduce import distinct_rows, find_rows
from tests.reproduce.tiny import results


def rows_by_experiment():
    """Return experiment -> rows that run here."""
    seen, chosen = set(), {}
    for name, experiment in EXPERIMENTS.items():
        rows = find_rows(experiment, "smoke", ())
        if experiment.kind != "computed":
            rows = distinct_rows(experiment, "smoke", seen) or rows[:1]
        chosen[name] = [row.name for row in rows]
    return chosen


ROWS = rows_by_experiment()


@pytest.fixture(scope="module")
def folders():
    """Folders of earlier experiments, whose runs are used again."""
    return []


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_smoke(name, tmp_path_factory, folders):
    experiment = EXPERIMENTS[name]
    work = tmp_path_factory.mktemp(name) / "work"
    only = ROWS[name] if experiment.kind != "computed" else ()
    options = {"scale": "smoke", "only": only}
    reproduce.reproduce(experiment, work, **options, runs_from=folders)
    if experiment.kind != "computed":
        folders.append(work)
    found = {result["row"]: result for result in results(work)}
    assert list(found) == ROWS[name]
    for result in found.values():
        assert set(result["numbers"]) & set(experiment.metrics) or "failed" in result
    reported = {metric for result in found.values() for metric in result["numbers"]}
    assert set(experiment.metrics) <= reported
    assert (work / f"{name}.png").stat().st_size > 5_000
    table = (work / "table.md").read_text()
    assert table.startswith(f"# {experiment.title}\n")
    assert ("| not run |" in table) == (len(found) < len(runnable(experiment)))
    for claim in experiment.claims:
        assert claim.text in table


def runnable(experiment):
    return [row for row in experiment.rows if not row.cited]


def test_together_they_have_every_network_and_setting():
    here, everywhere = set(), set()
    for name, experiment in EXPERIMENTS.items():
        if experiment.kind != "computed":
            distinct_rows(experiment, "smoke", everywhere)
            some = [row for row in experiment.rows if row.name in ROWS[name]]
            distinct_rows(Only(experiment, tuple(some)), "smoke", here)
    assert here == everywhere


class Only:
    """Experiment with some of its rows."""

    def __init__(self, experiment, rows):
        self.overrides = experiment.overrides
        self.rows = rows

    def rows_at(self, scale):
        return self.rows


def test_every_measurement_has_its_function():
    computed, measured = reproduce.COMPUTED, reproduce.MEASUREMENTS
    assert set(MEASUREMENTS) == set(computed) | set(measured)
    for experiment in EXPERIMENTS.values():
        known = computed if experiment.kind == "computed" else measured
        assert set(experiment.measurements) <= set(known)
