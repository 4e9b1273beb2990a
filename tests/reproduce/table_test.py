"""table.md contains its command, and the paper's numbers as printed."""

import json

import pytest

from noisejax import training
from noisejax.experiments import EXPERIMENTS, Printed, Row
from noisejax.reproduce import commands, format_table, show_printed
from tests.reproduce.tiny import ERROR, experiment, result, run

START = "python -m noisejax.reproduce --experiment=tiny --scale=short "


def of(row, num_seeds, **fields):
    """Return results of a row with one seed per number."""
    config = {"training": {"seed": 0, "num_seeds": num_seeds}}
    return [
        {**result(row, seed, **{ERROR: 1.0}), "config": config, **fields}
        for seed in range(num_seeds)
    ]


@pytest.mark.parametrize(
    ("found", "flags"),
    [
        ([*of("dropout", 2), *of("none", 2)], ""),
        ([*of("none", 2), *of("dropout", 2)], ""),
        (of("none", 2), "--only=none "),
        ([*of("dropout", 3), *of("none", 3)], "--num_seeds=3 "),
        (
            [*of("dropout", 2, run_of="b"), *of("none", 2, run_of="a")],
            "--runs_from=DIR_OF_a,DIR_OF_b ",
        ),
    ],
)
def test_the_command_gives_this_table(found, flags):
    assert commands(experiment(), "short", found) == [START + flags + "--workdir=DIR"]
    table = format_table(experiment(), "short", found)
    assert f"\n\n    {START}{flags}--workdir=DIR\n\n" in table


def test_rows_of_other_numbers_of_seeds_need_a_command_each():
    found = [*of("dropout", 2), *of("none", 3, run_of="a")]
    assert commands(experiment(), "short", found) == [
        START + "--only=dropout --workdir=DIR",
        START + "--only=none --num_seeds=3 --runs_from=DIR_OF_a --workdir=DIR",
    ]


@pytest.mark.usefixtures("digits")
def test_runs_of_another_folder_are_recorded(done, tmp_path):
    run(tmp_path / "new", runs_from=[done], only=["none"])
    table = (tmp_path / "new" / "table.md").read_text()
    assert START + "--only=none --runs_from=DIR_OF_tiny --workdir=DIR" in table
    assert "--runs_from" not in (done / "table.md").read_text()


@pytest.mark.parametrize(
    ("printed", "decimals", "text"),
    [
        (Printed(98.4), {ERROR: 2}, "98.40"),
        (Printed(98.4, 0.034, "?"), {ERROR: 2}, "98.40 ± 0.034 (SD) (?)"),
        (Printed(98.4), {}, "98.4"),
        (Printed(0.000583), {}, "0.000583"),
        (Printed("z = 0"), {ERROR: 2}, "z = 0"),
    ],
)
def test_printed_numbers_keep_their_digits(printed, decimals, text):
    row = Row("a", "", printed={ERROR: printed})
    assert show_printed(experiment((row,), decimals=decimals), row, ERROR) == text


def test_a_papers_table():
    """Format Noh et al. 2017, table 1, by row."""
    what = EXPERIMENTS["noh2017_table1"]
    texts = [show_printed(what, row, ERROR) for row in what.rows if row.printed]
    for text in ("4.60", "3.80", "18.30", "20.70 ± 0.19 (SD)", "19.12 ± 0.24 (SD)"):
        assert text in texts


@pytest.mark.parametrize(
    ("drawn", "text"),
    [((), "not printed"), ((ERROR,), "figure only"), (("other",), "not printed")],
)
def test_metrics_without_a_printed_number(drawn, text):
    """A figure does not show every quantity that is measured here."""
    what = experiment((Row("a", "a"), Row("b", "b", ours=True)), drawn=drawn)
    texts = [show_printed(what, row, ERROR) for row in what.rows]
    assert texts == [text, "not in the paper"]


def test_a_drawn_metric_is_drawn_in_every_layer():
    what = EXPERIMENTS["ba2014_figure2"]
    metrics = ("shift_correlation/layer_1", ERROR)
    texts = [show_printed(what, what.rows[0], metric) for metric in metrics]
    assert texts == ["figure only", "not printed"]


def test_rows_of_an_earlier_definition_are_marked():
    """The notes name recorded settings that differ from the present definition."""
    what = experiment()
    overrides = what.overrides(what.rows[0], "short")
    sections = {}
    for path, value in overrides.items():
        section, _, field = path.partition(".")
        sections.setdefault(section, {})[field] = value
    config = json.loads(json.dumps(training.to_dict(training.from_dict(sections))))
    now = [{**r, "config": config} for r in of("dropout", 2)]
    assert "earlier definition" not in format_table(what, "short", now)
    config = {**config, "optimizer": {**config["optimizer"], "learning_rate": 0.3}}
    before = [{**r, "config": config} for r in of("dropout", 2)]
    table = format_table(what, "short", before)
    assert "earlier definition with optimizer.learning_rate=0.3" in table
