"""Damaged folders and folders of other experiments give errors."""

import json
import subprocess
import sys

import pytest

from noisejax import reproduce
from noisejax.experiments import EXPERIMENTS, Row, Scale
from tests.reproduce.tiny import (
    ERROR,
    copy_of,
    experiment,
    result,
    results,
    run,
)

pytestmark = pytest.mark.usefixtures("digits")


def line(**fields):
    """Return a line of results.jsonl with fields of wrong types."""
    return (json.dumps({**result("none", 0), **fields}) + "\n").encode()


def test_a_line_that_was_cut_short_is_left_out(done, tmp_path, trained):
    folder = copy_of(done, tmp_path)
    whole = (folder / "results.jsonl").read_text()
    lines = whole.splitlines(keepends=True)
    (folder / "results.jsonl").write_text("".join(lines[:2]) + lines[2][:50])
    run(folder)
    assert trained == ["none"]  # and found finished
    again = results(folder)
    assert [r["numbers"] for r in again] == [r["numbers"] for r in results(done)]


@pytest.mark.parametrize("line", range(4))
def test_a_row_that_lost_a_seed_is_read_from_its_run_again(
    done, tmp_path, trained, line
):
    folder = copy_of(done, tmp_path)
    path = folder / "results.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:line] + lines[line + 1 :]))
    summaries = [p.stat().st_mtime_ns for p in folder.glob("rows/*/summary.json")]
    run(folder)
    assert trained == ["dropout" if line < 2 else "none"]  # and found finished
    assert summaries == [
        p.stat().st_mtime_ns for p in folder.glob("rows/*/summary.json")
    ]
    again = {(r["row"], r["seed"]): r["numbers"] for r in results(folder)}
    assert len(results(folder)) == 4
    assert again == {(r["row"], r["seed"]): r["numbers"] for r in results(done)}
    assert (folder / "table.md").read_text().count(" | 2 | ") == 2


def test_the_last_lines_end_that_is_lost_is_read_again(done, tmp_path, trained):
    folder = copy_of(done, tmp_path)
    path = folder / "results.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    run(folder)
    assert trained == ["none"]
    assert len(results(folder)) == 4


def test_a_row_that_is_not_whole_is_not_in_the_table(done, tmp_path, trained):
    folder = copy_of(done, tmp_path)
    path = folder / "results.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:3]))
    run(folder, only=["dropout"])
    assert not trained
    assert "| No noise | 2.5 (?) | not run | 0 |" in (folder / "table.md").read_text()


def test_a_line_that_is_there_twice_counts_once(done, tmp_path, trained):
    folder = copy_of(done, tmp_path)
    path = folder / "results.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:2], lines[0], lines[2], lines[2]]))
    run(folder)
    assert trained == ["none"]  # two lines, but of one seed
    assert (folder / "table.md").read_text().count(" | 2 | ") == 2


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (b"{", "line 1 column 2"),
        (b"5\n", "it must be an object, got 5"),
        (b"\xff", "can't decode byte 0xff"),
        (b'{"row": "none"}\n', "seed is missing or of a wrong type"),
        (line(numbers={ERROR: [1]}), f"{ERROR} must be a number"),
        (line(device={}), "device must have a kind and a count"),
        (line(config={"training": 5}), "section training must be an object"),
        (line(config={"training": {"num_seeds": "2"}}), "must be integers"),
    ],
)
def test_a_damaged_line_is_named(done, tmp_path, damage, why):
    folder = copy_of(done, tmp_path)
    path = folder / "results.jsonl"
    path.write_bytes(damage + path.read_bytes())
    said = rf"results.jsonl, line 1 cannot be read \(.*{why}.*\); remove the line, and"
    with pytest.raises(ValueError, match=said):
        run(folder)


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(ValueError, match="holds other files.*another workdir"):
        run(tmp_path)


def test_a_field_that_has_come_up_since_has_its_default(done, tmp_path, trained):
    folder = copy_of(done, tmp_path)
    there = json.loads((folder / "experiment.json").read_text())
    for row in there["rows"].values():
        del row["training"]["gradients"]
    (folder / "experiment.json").write_text(json.dumps(there))
    run(folder)
    assert not trained


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"{}", "must name an experiment and a scale"),
        (b"[]", "must name an experiment and a scale"),
        (b"{", "line 1 column 2"),
        (b"\xff", "can't decode byte 0xff"),
        (b'{"experiment": "tiny", "scale": "short", "rows": []}', "rows must be"),
        (b'{"experiment": "tiny", "scale": "short", "rows": {"x": 5}}', "each of sect"),
        (b'{"experiment": "tiny", "scale": "short", "rows": {"x": {"data": 5}}}', "ea"),
    ],
)
def test_a_damaged_identity_is_named(done, tmp_path, content, why):
    folder = copy_of(done, tmp_path)
    (folder / "experiment.json").write_bytes(content)
    said = rf"experiment.json is damaged \(.*{why}.*\); choose another workdir"
    with pytest.raises(ValueError, match=said):
        run(folder)
    with pytest.raises(ValueError, match=said):
        run(tmp_path / "new", runs_from=[folder])


def drawn(draws, **factors):
    """A row that is computed by draws."""
    rows = (Row("a", "a", factors={"rate": 0.5, "units": 10, **factors}),)
    scale = Scale(changes=(), cost="nothing", draws=draws)
    return experiment(
        rows,
        kind="computed",
        metrics=("dropped_share/above_rate",),
        measurements=("dropped_share_density",),
        scales={"smoke": scale, "short": scale, "paper": scale},
        claims=(),
    )


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (drawn(20, scheme="dropout"), "a: computed.draws was 10, is 20"),
        (drawn(10, scheme="random_dropout"), "a: factors.scheme was 'dropout', is"),
    ],
)
@pytest.mark.parametrize("older", [False, True])
def test_another_computation_is_refused(tmp_path, changed, said, older):
    """Older versions recorded the draws in the results only."""
    run(tmp_path, drawn(10, scheme="dropout"))
    path = tmp_path / "experiment.json"
    there = json.loads(path.read_text())
    assert there["rows"]["a"]["computed"]["draws"] == 10
    if older:
        del there["rows"]["a"]["computed"]
        path.write_text(json.dumps(there))
    with pytest.raises(ValueError, match=said + ".*choose another workdir"):
        run(tmp_path, changed)
    run(tmp_path, drawn(10, scheme="dropout"))
    assert len(results(tmp_path)) == 1


def test_computed_rows_have_no_seeds(tmp_path):
    with pytest.raises(ValueError, match="bouthillier2015_figure1 is computed .*got 2"):
        reproduce.reproduce(
            EXPERIMENTS["bouthillier2015_figure1"],
            tmp_path / "work",
            scale="smoke",
            num_seeds=2,
        )
    assert not (tmp_path / "work").exists()


def test_too_many_seeds_are_refused_at_once(tmp_path):
    """All seeds run at once, in one program."""
    flags = ["--experiment=ba2014_table2", "--num_seeds=1001", f"--workdir={tmp_path}"]
    done = subprocess.run(
        [sys.executable, "-m", "noisejax.reproduce", *flags],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "--num_seeds=1001: 1001 is not an integer in the range [1, 1000]" in (
        done.stderr
    )


def test_an_empty_name_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no row ''; its rows are dropout, none"):
        run(tmp_path / "work", only=["dropout", ""])
    with pytest.raises(
        ValueError, match="--runs_from must name directories.*empty name"
    ):
        run(tmp_path / "work", runs_from=[""])
    assert not (tmp_path / "work").exists()
