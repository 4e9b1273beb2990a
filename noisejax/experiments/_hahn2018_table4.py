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
        "Epochs to converge are the epochs to the lowest validation error, with that "
        "patience.",
        "We added a control without GAAF at twice the learning rate.",
    ),
    inconsistencies=(
        "The paper does not say what 'to converge' means.",
        "The text says that GAAF improves 'as much as dropout'. The accuracies are "
        "98.35 and 98.40, with deviations of 0.059 and 0.034 over five runs.",
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
            "GAAF is more accurate than doubling the learning rate (our question: GAAF "
            "doubles the gradient where the shape function is near 1).",
            (
                difference(
                    "gaaf", "base_doubled_rate", "test_accuracy_percent", low=0.0
                ),
            ),
        ),
        Claim(
            "GAAF converges in fewer epochs than doubling the learning rate (our "
            "question).",
            (difference("gaaf", "base_doubled_rate", "epochs_to_converge", high=0.0),),
        ),
    ),
)
