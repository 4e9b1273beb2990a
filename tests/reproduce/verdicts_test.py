"""Claims are judged by Student's interval over seeds, differences within a seed."""

import dataclasses
import math

import numpy as np
import pytest
from scipy import stats

from noisejax.experiments import EXPERIMENTS, Claim, Contrast
from noisejax.reproduce import (
    choose_rows,
    estimate,
    estimate_contrast,
    numbers_of,
    verdict,
)
from tests.reproduce.tiny import ERROR, result


def of(a, b, seeds=None):
    """Return results of two rows, with one number per seed."""
    rows = [("a", a), ("b", b)]
    return [
        result(row, seed, **{ERROR: value})
        for row, values in rows
        for seed, value in zip(seeds or range(len(values)), values, strict=False)
    ]


LESS = Contrast(((1.0, "a", ERROR), (-1.0, "b", ERROR)), high=0.0)


def test_the_interval_is_students():
    values = np.array([1.0, 2.0, 4.0, 4.5])
    expected = stats.t.interval(
        0.95, 3, loc=values.mean(), scale=stats.sem(values, ddof=1)
    )
    found = estimate(values)
    assert (found.low, found.high) == pytest.approx(expected)
    assert found.standard_error == pytest.approx(stats.sem(values, ddof=1))
    for same in ([1.0], [1.0, 1.0]):
        assert (estimate(same).low, estimate(same).high) == (-math.inf, math.inf)


def test_a_paired_difference():
    """The spread between seeds that both rows share cancels."""
    found = estimate_contrast(
        LESS, numbers_of(of([1.0, 11.0, 21.0], [2.0, 12.1, 21.9]))
    )
    assert found.value == pytest.approx(-1.0)
    expected = estimate([-1.0, -1.1, -0.9])
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.num_seeds == 3


def test_only_seeds_that_both_have():
    numbers = numbers_of([*of([1.0, 2.0], [3.0, 4.0]), result("a", 7, **{ERROR: 9.0})])
    assert estimate_contrast(LESS, numbers).num_seeds == 2


def test_weights():
    contrast = Contrast(((1.0, "a", ERROR), (-5.0, "b", ERROR)))
    found = estimate_contrast(contrast, numbers_of(of([10.0, 10.0], [1.0, 1.0])))
    assert found.value == 5.0


@pytest.mark.parametrize(
    ("a", "b", "sentence"),
    [
        (
            *([1.0, 1.1, 0.9], [2.0, 2.1, 1.95]),
            "Held: 1.02 [0.94, 1.09] points better, n = 3.",
        ),
        (
            *([2.0, 2.1, 1.95], [1.0, 1.1, 0.9]),
            "Not held: 1.02 [0.94, 1.09] points worse, n = 3.",
        ),
        (
            *([1.0, 2.0, 3.0], [1.1, 1.0, 4.0]),
            "Not resolved: 0.0 [-2.5, 2.5] points better, n = 3.",
        ),
        (
            *([1.0], [2.0]),
            "Not resolved: 1 points better (one seed: no interval), n = 1.",
        ),
        ([], [2.0], "Not run."),
        ([None, None], [2.0, 1.0], "Not run."),
    ],
)
def test_a_verdict_is_one_sentence_with_its_interval(a, b, sentence):
    assert verdict(Claim("It is less.", (LESS,)), of(a, b)) == sentence


MORE = Contrast(LESS.terms, low=0.0)


@pytest.mark.parametrize("contrast", [LESS, MORE])
def test_no_difference_is_neither_better_nor_worse(contrast):
    said = verdict(Claim("It is.", (contrast,)), of([1.0, 2.0], [1.0, 2.0]))
    assert said.startswith("Not resolved: 0 points ")
    assert said.endswith("worse (no spread over seeds: no interval), n = 2.")
    said = verdict(Claim("It is.", (contrast,)), of([1.0], [1.0]), exact=True)
    assert said.startswith("Not held: ") and said.endswith(", exact.")


@pytest.mark.parametrize("step", [0.0, 3e-6])
def test_a_difference_without_a_spread_has_no_interval(step):
    """Equal numbers of errors have no spread, apart from float32 rounding."""
    found = of([97.0, 98.0, 99.0], [97.5, 98.5, 99.5 + step])
    assert estimate_contrast(LESS, numbers_of(found)).high == math.inf
    said = verdict(Claim("It is less.", (LESS,)), found)
    assert said.startswith("Not resolved: ") and "no spread over seeds" in said


def test_one_error_of_ten_thousand_is_a_spread():
    found = of([97.0, 98.0, 99.0], [97.5, 98.5, 99.51])
    assert verdict(Claim("It is less.", (LESS,)), found).startswith("Held: ")


def test_close_to_each_other():
    near = Contrast(LESS.terms, low=-0.5, high=0.5)
    claim = Claim("They are alike.", (near,))
    close = of([1.0, 2.0, 3.0], [1.01, 2.0, 2.99])
    assert verdict(claim, close).startswith("Held")
    apart = of([1.0, 2.0, 3.0], [3.0, 4.01, 4.99])
    assert verdict(claim, apart).startswith("Not held")
    wide = of([1.0, 2.0, 3.0], [2.0, 2.0, 2.0])
    assert verdict(claim, wide).startswith("Not resolved")


def test_one_contrast_that_fails_is_enough():
    claim = Claim("Both.", (LESS, Contrast(((1.0, "a", ERROR),), low=100.0)))
    said = verdict(claim, of([1.0, 1.1, 0.9], [2.0, 2.1, 1.95]))
    assert said.startswith(
        "Not held: a 1.02 [0.94, 1.09] points better than b (held); "
    )
    assert said.endswith(" (not held), n = 3.")


def test_comparisons_that_were_not_run_are_counted():
    claim = Claim("Both.", (LESS, Contrast(((1.0, "c", ERROR),), low=0.0)))
    said = verdict(claim, of([1.0, 1.1, 0.9], [2.0, 2.1, 1.95]))
    assert said.startswith("Held in the 1 of 2 comparisons that were run: ")


def test_computed_numbers_are_exact():
    said = verdict(Claim("Less.", (LESS,)), of([1.0], [2.0]), exact=True)
    assert said == "Held: 1 points better, exact."


def test_without_contrasts_there_is_no_judgement():
    assert verdict(Claim("It looks alike."), []) == (
        "Not judged by a number: see the figure."
    )
    assert verdict(Claim("It has two.", (), "Held: 2."), []) == "Held: 2."


def test_the_best_of_several_rows_is_chosen_by_validation():
    """The row with the lowest validation error is used, not the lowest test error."""
    numbers = {"a": (3.0, 1.0), "b": (2.0, 2.0), "c": (1.5, 0.0)}
    results = [
        result(
            row,
            seed,
            **{
                ERROR: test + 0.01 * seed * test,
                "validation_error_percent": validation,
            },
        )
        for row, (test, validation) in numbers.items()
        for seed in (0, 1)
    ]
    terms = ((1.0, ("a", "b"), ERROR), (-1.0, "c", ERROR))
    chosen = choose_rows(Contrast(terms, low=0.0), numbers_of(results))
    assert chosen.terms == ((1.0, "a", ERROR), (-1.0, "c", ERROR))
    claim = Claim("More.", (Contrast(terms, low=0.0),))
    assert verdict(claim, results).startswith("Held")
    without = [{**r, "numbers": {ERROR: r["numbers"][ERROR]}} for r in results]
    assert verdict(claim, without).startswith("Not judged: no validation errors")


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("test_accuracy_percent", "1.02 [0.94, 1.09] points worse"),
        ("epochs_to_converge", "1.02 [0.94, 1.09] epochs lower"),
        ("slope_gain/layer_2", "1.02 [0.94, 1.09] lower"),
    ],
)
def test_a_difference_is_in_the_words_of_its_metric(metric, words):
    results = [
        {**r, "numbers": {metric: r["numbers"][ERROR]}}
        for r in of([1.0, 1.1, 0.9], [2.0, 2.1, 1.95])
    ]
    terms = ((1.0, "a", metric), (-1.0, "b", metric))
    claim = Claim("It is more.", (Contrast(terms, low=0.0),))
    assert verdict(claim, results) == f"Not held: {words}, n = 3."


def test_rows_are_named_in_words():
    claim = Claim("Both.", (LESS, LESS))
    results = of([1.0, 1.1, 0.9], [2.0, 2.1, 1.95])
    sentence = verdict(claim, results, labels={"a": "dropout", "b": "no noise"})
    assert "dropout 1.02 [0.94, 1.09] points better than no noise (held)" in sentence


def test_a_claim_can_be_untestable_at_a_scale():
    claim = Claim("It is less.", (LESS,), untestable={"short": "too few epochs"})
    results = of([1.0, 1.1, 0.9], [2.0, 2.1, 1.95])
    said = verdict(claim, results, scale="short")
    assert said == "Not testable at this scale: too few epochs."
    assert verdict(claim, results, scale="paper").startswith("Held: ")


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_claim_can_be_held_and_can_fail(name):
    """Numbers inside the claimed range hold, and numbers far outside do not."""
    experiment = EXPERIMENTS[name]
    for claim in experiment.claims:
        for contrast in claim.contrasts:
            for shift, word in ((0.0, "Held"), (1e9, "Not held"), (-1e9, "Not held")):
                low, high = contrast.low, contrast.high
                middle = np.clip(0.0, low, high)
                if np.isfinite([low, high]).all():
                    middle = (low + high) / 2
                elif np.isfinite(low):
                    middle = low + 1.0
                elif np.isfinite(high):
                    middle = high - 1.0
                free = (shift > 0 and high == np.inf) or (shift < 0 and low == -np.inf)
                single = dataclasses.replace(
                    contrast,
                    terms=tuple(
                        (w, r if isinstance(r, str) else r[0], m)
                        for w, r, m in contrast.terms
                    ),
                )
                weight, row, metric = single.terms[0]
                results = [
                    result(r, seed, **{m: 0.0})
                    for _, r, m in single.terms[1:]
                    for seed in (0, 1)
                ]
                value = (middle + shift) / weight
                step = 1e-5 * max(1.0, abs(value))
                results += [
                    result(row, seed, **{metric: value + seed * step})
                    for seed in (0, 1)
                ]
                said = verdict(Claim("It.", (single,)), results)
                assert free or said.startswith(word), said
