"""Rows run once, stopped rows resume, and other experiments are rejected."""

import json

import numpy as np
import pytest

from noisejax import evaluators, reproduce, training
from noisejax.experiments import Row
from tests.reproduce.tiny import ERROR, ROWS, copy_of, experiment, results, run

pytestmark = pytest.mark.usefixtures("digits")


def test_files_of_an_experiment(done):
    names = {path.name for path in done.iterdir()} - {".lock"}
    figures = {"tiny.png", "tiny.pdf"}
    files = {"experiment.json", "results.jsonl", "table.md", "rows"}
    assert names == files | figures
    assert (done / "tiny.png").read_bytes().startswith(b"\x89PNG")


def test_a_result_records_what_it_depends_on(done):
    found = results(done)
    assert [(r["row"], r["seed"]) for r in found] == [
        *(("dropout", 0), ("dropout", 1), ("none", 0), ("none", 1))
    ]
    for result in found:
        assert set(result) == {
            *("row", "seed", "numbers", "seconds", "config"),
            *("device", "versions", "commit"),
        }
        summary = json.loads(
            (done / "rows" / result["row"] / "summary.json").read_text()
        )
        errors = summary[ERROR]["per_seed"]
        assert result["numbers"][ERROR] == errors[result["seed"]]
        assert result["config"] == summary["config"]
        assert result["seconds"] > 0


def test_the_table_has_paper_and_ours(done):
    table = (done / "table.md").read_text()
    errors = [r["numbers"][ERROR] for r in results(done)]
    lines = {line.split(" | ")[0]: line for line in table.splitlines() if " | " in line}
    assert "| 1.5 ± 0.1 (SD) | " in lines["| Dropout"]
    mean = np.mean(errors[:2])
    assert f"{mean:.1f}" in lines["| Dropout"] and "±" in lines["| Dropout"]
    assert " | 2 | " in lines["| Dropout"] and "tiny" not in lines["| Dropout"]
    assert "**Differences from the paper in all its rows**\n\n- tiny\n" in table
    assert "| 2.5 (?) | " in lines["| No noise"]
    assert "| 3.0 | cited by the paper, not run | " in lines["| Another paper's"]
    assert "Dropout is better. **" in table and "n = 2" in table
    assert "![numbers of the paper and ours](tiny.png)" in table
    for said in ("As printed.", "All of it.", "tiny", "1 x cpu"):
        assert said in table


def test_a_second_call_trains_nothing_and_draws_again(done, tmp_path, trained):
    folder = copy_of(done, tmp_path)
    (folder / "tiny.png").unlink()
    (folder / "table.md").unlink()
    before = (folder / "results.jsonl").read_bytes()
    run(folder)
    assert not trained
    assert (folder / "results.jsonl").read_bytes() == before
    assert (folder / "tiny.png").exists()
    assert (folder / "table.md").read_text() == (done / "table.md").read_text()


def test_rows_by_name_then_the_others(tmp_path, trained):
    run(tmp_path, only=["none"])
    assert "| Dropout | 1.5 ± 0.1 (SD) | not run | 0 |" in (
        (tmp_path / "table.md").read_text()
    )
    run(tmp_path)
    assert trained == ["none", "dropout"]
    assert len(results(tmp_path)) == 4


def test_a_crash_loses_the_row_in_flight_only(tmp_path, trained):
    with pytest.MonkeyPatch.context() as patch:
        train = training.train

        def crash(config, path, **options):
            if path.name == "none":
                raise KeyboardInterrupt
            return train(config, path, **options)

        patch.setattr(training, "train", crash)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path)
    assert {r["row"] for r in results(tmp_path)} == {"dropout"}
    del trained[:]
    run(tmp_path)
    assert trained == ["none"]
    assert len(results(tmp_path)) == 4


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"num_seeds": 3}, "num_seeds was 2, is 3"),
        (
            {"what": experiment(base={**experiment().base, "model.widths": (5,)})},
            r"model.widths was \[4\], is \[5\]",
        ),
        ({"what": experiment(name="other")}, "holds tiny at the scale short"),
        ({"scale": "paper"}, "holds tiny at the scale short"),
    ],
)
def test_another_configuration_is_refused(done, tmp_path, trained, change, match):
    folder = copy_of(done, tmp_path)
    with pytest.raises(ValueError, match=match + r".*choose another workdir"):
        run(folder, **change)
    assert not trained
    assert results(folder) == results(done)


def test_a_run_that_is_stopped_says_how_it_goes_on(tmp_path, monkeypatch):
    def stop(config, path, **options):
        raise training.TrainingStopped("continue with --resume")

    monkeypatch.setattr(training, "train", stop)
    with pytest.raises(training.TrainingStopped, match="the same command resumes"):
        run(tmp_path)


def test_two_at_once_are_refused(tmp_path):
    with (
        training.Workdir(tmp_path),
        pytest.raises(ValueError, match="in use by another process"),
    ):
        run(tmp_path)


def test_unknown_names_list_those_that_there_are(tmp_path):
    with pytest.raises(ValueError, match="no row dropuot; its rows are dropout, none"):
        run(tmp_path, only=["dropuot"])
    with pytest.raises(ValueError, match="no row cited"):
        run(tmp_path, only=["cited"])
    with pytest.raises(ValueError, match="--scale must be one of smoke, short, paper"):
        run(tmp_path, scale="huge")
    with pytest.raises(ValueError, match="one of bouthillier2015_figure1, .*factorial"):
        reproduce.find_experiment("ba2014_table7")
    assert not list(tmp_path.iterdir())


def test_missing_data_are_named_before_anything_is_trained(tmp_path, trained):
    rows = (ROWS[0], Row("svhn", "svhn", {"data.name": "svhn_cropped"}))
    with pytest.raises(
        FileNotFoundError, match="'svhn_cropped'.*noisejax.prepare_data"
    ):
        run(tmp_path / "work", experiment(rows), data_dir=tmp_path / "none")
    assert not trained
    assert not (tmp_path / "work" / "experiment.json").exists()


def fail(config, path, **options):
    raise training.TrainingError("finding x* diverged")


def test_a_row_whose_failure_is_a_result(tmp_path, monkeypatch):
    rows = (Row("steep", "steep", {}, may_fail=True),)
    monkeypatch.setattr(training, "train", fail)
    what = experiment(rows, claims=())
    run(tmp_path, what)
    [result] = results(tmp_path)
    assert result["failed"] == "finding x* diverged" and result["numbers"] == {}
    assert "| 0 | 0 | stopped: finding x* diverged |" in (
        (tmp_path / "table.md").read_text()
    )


def test_another_rows_failure_ends_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "train", fail)
    with pytest.raises(training.TrainingError, match="row dropout: finding x"):
        run(tmp_path)
    assert not (tmp_path / "results.jsonl").exists()


def test_measured_rows_keep_arrays(tmp_path, trained):
    what = experiment(kind="measured", measurements=("learning_curves",), claims=())
    run(tmp_path, what, only=["none"])
    with np.load(tmp_path / "arrays" / "none_seed_1.npz") as arrays:
        assert arrays["curve/test"].shape == (1,)
        assert arrays["curve/test"][0] == results(tmp_path)[1]["numbers"][ERROR]
    (tmp_path / "arrays" / "none_seed_1.npz").write_text("no zip")
    run(tmp_path, what, only=["none"])
    assert trained == ["none"]


def test_a_measurement_that_fails_does_not_stop_the_others(tmp_path):
    """Other results are written, the failure is named, and only it is repeated."""
    measurements = ("learning_curves", "dead_units")
    what = experiment(kind="measured", measurements=measurements, claims=())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluators, "curve", lambda *_: 1 / 0)
        with pytest.raises(
            reproduce.MeasurementError,
            match="2 measurements failed .none, seed 0, learning_curves: ZeroDiv",
        ):
            run(tmp_path, what, only=["none"])
    for result in results(tmp_path):
        assert {ERROR, "dead_share/layer_1"} <= set(result["numbers"])
    table = (tmp_path / "table.md").read_text()
    assert "seed 0, learning_curves failed: ZeroDivisionError" in table
    summary = (tmp_path / "rows" / "none" / "summary.json").read_bytes()
    run(tmp_path, what, only=["none"])
    assert len(results(tmp_path)) == 2
    assert not any("unmeasured" in result for result in results(tmp_path))
    assert "failed" not in (tmp_path / "table.md").read_text()
    assert (tmp_path / "rows" / "none" / "summary.json").read_bytes() == summary


def test_progress_counts_finished_rows(done, tmp_path, capfd):
    folder = copy_of(done, tmp_path)
    path = folder / "results.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:2]))
    run(folder)
    assert "1/2 [" in capfd.readouterr().err


def test_a_run_of_another_experiment_serves_where_the_configuration_is_the_same(
    done, tmp_path, trained
):
    run(tmp_path / "new", runs_from=[done])
    assert not any((tmp_path / "new" / "rows").glob("*"))
    assert not trained
    for ours, theirs in zip(results(tmp_path / "new"), results(done), strict=True):
        assert ours["numbers"] == theirs["numbers"]
        assert ours["config"] == theirs["config"]
    assert (tmp_path / "new" / "tiny.png").exists()


def test_a_run_of_another_configuration_does_not_serve(done, tmp_path):
    run(tmp_path / "new", runs_from=[done], num_seeds=1, only=["none"])
    assert (tmp_path / "new" / "rows" / "none" / "summary.json").exists()


def test_runs_from_something_else(tmp_path):
    (tmp_path / "other").mkdir()
    with pytest.raises(ValueError, match="must be the directory of an experiment"):
        run(tmp_path / "new", runs_from=[tmp_path / "other"])
    assert not (tmp_path / "new").exists()
