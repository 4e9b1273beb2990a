"""The table of all claims: one line each, with the paper's number and ours."""

import json

from noisejax import reproduce, training
from noisejax.experiments import EXPERIMENTS
from tests.reproduce.tiny import result

NAME = "hahn2018_table4"
ACCURACY = "test_accuracy_percent"


def table(folder, accuracies):
    """Return the claims table after a run of table 4 with these accuracies."""
    (folder / NAME).mkdir()
    lines = [
        result(row, seed, **{ACCURACY: value * (1 + 1e-3 * seed)})
        for row, value in accuracies.items()
        for seed in (0, 1)
    ]
    config = {"training": {"num_seeds": 2}}
    text = "".join(json.dumps({**line, "config": config}) + "\n" for line in lines)
    (folder / NAME / "results.jsonl").write_text(text)
    return reproduce.claims_table(folder).splitlines()


def test_every_claim_has_a_line(tmp_path):
    lines = reproduce.claims_table(tmp_path).splitlines()
    for experiment in EXPERIMENTS.values():
        for claim in experiment.claims:
            text = claim.text.replace("|", "\\|").replace("*", "\\*")
            [line] = [
                x for x in lines if f"{text} |" in x and experiment.place in x
            ] or [x for x in lines if f"{experiment.name}: {text} |" in x]
            assert claim.settled or "not run" in line


def test_the_deciding_comparison_is_shown_beside_the_papers(tmp_path):
    lines = table(tmp_path, {"base": 98.0, "dropout": 97.2, "gaaf": 98.5})
    [line] = [x for x in lines if "more accurate than the base model" in x]
    assert "| 0.17 |" in line  # 98.40 - 98.23
    assert "| Dropout 0.8" in line
    assert "points worse than base Model (without dropout)" in line
    assert "(not held in 1 of 2 comparisons)" in line and "**not held**" in line


def test_rows_of_two_definitions_are_not_compared(tmp_path):
    """A row that was run by an earlier definition judges no claim beside newer ones."""
    experiment = EXPERIMENTS[NAME]
    (tmp_path / NAME).mkdir()
    lines = []
    for row, value in {"base": 98.0, "dropout": 97.2, "gaaf": 98.5}.items():
        [own] = [r for r in experiment.rows if r.name == row]
        for seed in (0, 1):
            config = training.to_dict(reproduce.row_config(experiment, own, "short"))
            config["training"]["num_seeds"] = 2
            if row == "gaaf":
                config["optimizer"]["name"] = "sgd"
            made = result(row, seed, **{ACCURACY: value * (1 + 1e-3 * seed)})
            lines.append(json.dumps({**made, "config": config}) + "\n")
    (tmp_path / NAME / "results.jsonl").write_text("".join(lines))
    table = reproduce.claims_table(tmp_path).splitlines()
    [line] = [x for x in table if "more accurate than the base model" in x]
    assert "Dropout 0.8" in line and "GAAF 0" not in line
    [line] = [x for x in table if "about equally accurate" in x]
    assert "not run" in line
