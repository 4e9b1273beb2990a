"""Labels for metrics, factors and numbers in tables and figures."""

import math
from collections.abc import Sequence

from noisejax.evaluators import layer_title
from noisejax.experiments import Experiment, Row

TITLES = {
    "test_error_percent": "Test error (%)",
    "test_accuracy_percent": "Test accuracy (%)",
    "train_accuracy_percent": "Training accuracy (%)",
    "validation_error_percent": "Validation error (%)",
    "epochs_to_converge": "Epochs to the best validation error",
    "code_quality_bits": "Code quality (bits)",
    "zero_at": "Pre-activations with activation 0",
    "zero_at/share": "Share of the grid with activation 0",
    "pairs_above": "Pairs of units with |r| above",
    "gradient_information": "Mean |∂E/∂W| through training",
    "gradient_inverted_scaling": "Mean |∂E/∂W|, inverted scaling",
    "gradient_per_example": "Mean |∂E/∂W| of single examples, best epoch",
    "net_variance": "Variance of pre-activations",
    "net_variance_conditional": "Variance from the noise on the layer's input",
    "net_variance_passed_on": "Variance from the noise below",
    "slope_gain": "Slope of saturated units, with noise / without",
    "share_saturated": "Share of saturated pre-activations",
    "shift_correlation": "Correlation of shifts with mean activities",
    "shift_slope": "Slope of shifts against mean activities",
    "class_accuracy_percent": "Mean class accuracy (%)",
    "sum_accuracy_percent": "Accuracy of the plain sum (%)",
    "bleu_1": "BLEU-1",
    "bleu_2": "BLEU-2",
    "bleu_3": "BLEU-3",
    "bleu_4": "BLEU-4",
    "rouge_l": "ROUGE-L",
    "meteor": "METEOR",
    "cider": "CIDEr (x 100)",
    "open_ended_percent/all": "Open-ended, all (%)",
    "open_ended_percent/yes_no": "Open-ended, yes/no (%)",
    "open_ended_percent/number": "Open-ended, number (%)",
    "open_ended_percent/other": "Open-ended, other (%)",
    "multiple_choice_percent/all": "Multiple choice, all (%)",
    "multiple_choice_percent/yes_no": "Multiple choice, yes/no (%)",
    "multiple_choice_percent/number": "Multiple choice, number (%)",
    "multiple_choice_percent/other": "Multiple choice, other (%)",
    "answer_percent/yes_no": "Test accuracy, yes/no (%)",
    "answer_percent/number": "Test accuracy, number (%)",
    "answer_percent/other": "Test accuracy, other (%)",
    "dead_share": "Share of units that are always 0",
    "sharpness/largest": "Largest eigenvalue of the Hessian",
    "sharpness/residual": "Relative error of the eigenpair",
    "bound/S=1": "Bound L(1) (nats)",
    "bound/S=16": "Bound L(16) (nats)",
    "effective_samples/8": "Effective samples of 8",
    "prediction_error_percent/noise_free": "Test error without noise (%)",
    "prediction_error_percent/monte_carlo": "Test error of 16 samples (%)",
    "calibration_error_percent/noise_free": "Calibration error without noise (%)",
    "calibration_error_percent/monte_carlo": "Calibration error of 16 samples (%)",
    "nearest_class_kept/x": "Nearest training input of the same class, x",
    "nearest_class_kept/x_star": "Nearest training input of the same class, x*",
    "others_changed/x_star": "Change of the other units at x*",
    "others_changed/filter_subtracted": "Change of the other units without the filter",
    "residual/before": "Residual at x, median",
    "residual/after": "Residual at x*, median",
    "residual/diverged": "Share of samples that diverged",
    "distance_spread": "Spread of the distances |x* - x| (SD / mean)",
    "dropped_share/near_rate": "P(share dropped within 0.05 of p)",
    "dropped_share/above_rate": "P(share dropped above p)",
    "dropped_share/unevenness": "Unevenness of the law below p - 0.1 (SD / mean)",
    "dropped_share/draws_off": "Distance of the draws from the law",
    "acceleration/largest": "Largest |g| K",
    "acceleration/slope": "Slope of g between its steps",
    "shape": "Shape s at",
}
"""Metric, or its part before "/" -> label with the unit."""

BETTER_IF_LOWER = {"test_error_percent": True, "code_quality_bits": False}
BETTER_IF_LOWER |= {"test_accuracy_percent": False, "train_accuracy_percent": False}
"""Metric -> True if lower is better. For other metrics, neither is better."""

UNITS = {"code_quality_bits": "bits", "epochs_to_converge": "epochs"}
"""Metric -> unit of a difference. The unit for percentages is points."""

DATA = {"mnist": "MNIST", "cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}
"""Name of a data set -> its spelling in text."""

FACTORS = {
    "scheme random": "Random dropout",
    "scheme gaussian": "Gaussian dropout",
    "shift": "Learned shift",
    "gaaf": "GAAF",
    "samples": "4 samples",
    "none": "No noise",
    "base": "No dropout",
    "base_doubled_rate": "No dropout, learning rate doubled",
    "projected": "Back-projection",
    "projected_unscaled": "Back-projection, unscaled",
    "projected_scaled": "Back-projection, scaled",
    "projected_per_layer": "Back-projection, per layer",
    "projected_printed_rates": "Back-projection, printed rates",
    **DATA,
    "invariant": "Invariant dropout",
    "average": "Running average",
}
"""Level of a factor -> label."""


def metric_title(metric: str) -> str:
    """Return the label of a metric, such as "Slope gain, hidden layer 2"."""
    if metric in TITLES:
        return TITLES[metric]
    name, *rest = metric.split("/")
    parts = [layer_title(part).lower() if "layer" in part else part for part in rest]
    if name == "shape":
        return f"{TITLES[name]} {rest[0].removeprefix('at_')}"
    if name == "pairs_above":
        return f"{TITLES[name]} {parts[1]}, {parts[0]}"
    return ", ".join([TITLES.get(name, name), *parts])


def split_layer(metric: str) -> tuple[str, str]:
    """Return the labels of a metric without its layer, and of the layer or ""."""
    name, _, last = metric.rpartition("/")
    if name and last.startswith(("layer", "last", "input")):
        return metric_title(name), layer_title(last)
    return metric_title(metric), ""


def factor_words(level: object) -> str:
    """Return the label of a factor's level, such as "Random dropout" or "MNIST"."""
    name = str(level)
    if name in FACTORS:
        return FACTORS[name]
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]


def row_title(row: Row) -> str:
    """Return the label of a row, capitalised and with the spelling of data sets."""
    first, comma, rest = row.label.removeprefix("+").partition(",")
    words = DATA.get(first) or first[:1].upper() + first[1:]
    return f"{words}{comma}{rest}"


def row_labels(rows: Sequence[Row]) -> dict[str, str]:
    """Return row name -> label within a sentence, in lower case if it is a word."""
    titles = {row.name: row_title(row) for row in rows}
    return {
        name: title[:1].lower() + title[1:] if title.split()[0][1:].islower() else title
        for name, title in titles.items()
    }


def table_line(cells: Sequence[str]) -> str:
    """Return a line of a Markdown table."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def table_head(*cells: str) -> list[str]:
    """Return the first two lines of a Markdown table."""
    return [table_line(cells), table_line(["---"] * len(cells))]


def show_printed(experiment: Experiment, row: Row, metric: str) -> str:
    """Return the paper's number as printed, or the reason if there is none."""
    printed = row.printed.get(metric)
    if printed is None:
        if row.ours:
            return "not in the paper"
        drawn = metric in experiment.drawn or metric.split("/")[0] in experiment.drawn
        return "figure only" if drawn else "not printed"
    text = str(printed.value)
    if metric in experiment.decimals and not isinstance(printed.value, str):
        text = f"{printed.value:.{experiment.decimals[metric]}f}"
    if printed.deviation is not None:
        text += f" ± {printed.deviation} (SD)"
    return text + (f" ({printed.note})" if printed.note else "")


def decimals_of(half_width: float) -> int:
    """Return the number of decimals for a number with an interval.

    The half-width is shown with two digits, or one if its first digit is 4 or more.
    """
    exponent = math.floor(math.log10(half_width))
    return min(8, max(0, (half_width < 4 * 10**exponent) - exponent))
