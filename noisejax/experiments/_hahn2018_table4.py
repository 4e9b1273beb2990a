"""Hahn and Choi 2018, table 4: accuracy and epochs on MNIST."""

from noisejax.experiments import _hahn2018 as shared
from noisejax.experiments._claims import Claim, difference, similar
from noisejax.experiments._experiment import Experiment, Printed

PRINTED = {
    "base": (Printed(98.23, 0.075), Printed(82, 16.6)),
    "dropout": (Printed(98.40, 0.034), Printed(169, 9.7)),
    "gaaf": (Printed(98.35, 0.059), Printed(114, 24.8)),
}
"""Printed test accuracy in percent and epochs, each with its standard deviation."""

METRICS = ("test_accuracy_percent", "epochs_to_converge")


EXPERIMENT = Experiment(
    name="hahn2018_table4",
    title="Accuracy and epochs to converge on MNIST: base, dropout, GAAF",
    paper=shared.PAPER,
    place="table 4",
    kind="trained",
    rows=(
        *(
            shared.method_row(method, dict(zip(METRICS, printed, strict=True)))
            for method, printed in PRINTED.items()
        ),
        shared.DOUBLED,
    ),
    scales=shared.scales(),
    metrics=METRICS,
    decimals={"test_accuracy_percent": 2},
    base=shared.BASE,
    protocol=(*shared.PROTOCOL, "Means and standard deviations of five executions."),
    ours=(
        *shared.OURS,
        "Epochs to converge: the best epoch by validation under that patience.",
        "A control: no GAAF, the learning rate doubled.",
    ),
    inconsistencies=(
        "The paper does not say what 'to converge' means.",
        "GAAF is said to improve 'as much as dropout': 98.35 against 98.40, each with "
        "a deviation of 0.03 to 0.06 over five runs.",
    ),
    claims=(
        Claim(
            "Dropout and GAAF are more accurate than the base model.",
            tuple(
                difference(method, "base", "test_accuracy_percent", low=0.0)
                for method in ("dropout", "gaaf")
            ),
        ),
        Claim(
            "Dropout and GAAF are about equally accurate (our test: within 0.1 %).",
            (similar(*("gaaf", "dropout", "test_accuracy_percent"), 0.1),),
        ),
        Claim(
            "GAAF converges in fewer epochs than dropout.",
            (difference("gaaf", "dropout", "epochs_to_converge", high=0.0),),
        ),
        Claim(
            "GAAF is more accurate than twice the learning rate (our test: "
            "where the shape "
            "function is near 1, GAAF doubles the gradient).",
            (
                difference(
                    "gaaf", "base_doubled_rate", "test_accuracy_percent", low=0.0
                ),
            ),
        ),
        Claim(
            "GAAF converges in fewer epochs than twice the learning rate "
            "(our question).",
            (difference("gaaf", "base_doubled_rate", "epochs_to_converge", high=0.0),),
        ),
    ),
)
