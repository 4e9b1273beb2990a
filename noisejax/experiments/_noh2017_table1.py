"""Noh et al. 2017, table 1: IWSGD and other models on CIFAR."""

from noisejax.experiments import _noh2017 as shared
from noisejax.experiments._claims import ERROR, Claim, Contrast, difference
from noisejax.experiments._experiment import Experiment, Printed, Row

DATA = ("cifar10", "cifar100")

CITED = (
    ("resnet", "ResNet [12]", 6.43, None),
    ("stochastic_depth", "ResNet with Stochastic Depth [15]", 4.91, 24.58),
    ("fractalnet", "FractalNet with Dropout [21]", 4.60, 23.73),
    ("preact_resnet", "ResNet (pre-activation) [13]", 4.62, 22.71),
    ("pyramidnet", "PyramidNet [11]", 3.77, 18.29),
    ("wrn_40", "Wide ResNet (depth=40) [40]", 3.80, 18.30),
    ("densenet", "DenseNet [14]", 3.46, 17.18),
    ("wrn_28", "Wide ResNet (depth=28, dropout=0.3) [40]", 3.89, 18.85),
)
"""Name, label and test errors in percent (CIFAR-10 and -100) of cited rows."""

NET = "Wide ResNet (depth=28, dropout=0.5)"

RUN = (
    ("x4_iterations", f"{NET} (x4 iterations)", 1, 4, (4.48, 0.15), (20.70, 0.19)),
    ("reproduced", f"{NET} (reproduced)", 1, 1, (3.88, 0.15), (19.12, 0.24)),
    ("s_4", f"{NET} with IWSGD (S = 4)", 4, 1, (3.58, 0.05), (18.01, 0.16)),
    ("s_8", f"{NET} with IWSGD (S = 8)", 8, 1, (3.55, 0.11), (17.63, 0.13)),
)
"""Name, label, samples, epochs factor, (error, deviation) on CIFAR-10 and -100."""


def _cited(data: str) -> list[Row]:
    return [
        Row(
            f"{data}_{name}",
            f"{data}, {label}",
            printed={"test_error_percent": Printed(errors[DATA.index(data)])},
            factors={"data": data},
            cited=True,
        )
        for name, label, *errors in CITED
        if errors[DATA.index(data)] is not None
    ]


def _run(data: str) -> list[Row]:
    return [
        Row(
            f"{data}_{name}",
            f"{data}, {label}",
            {"data.name": data, "objective.num_samples": samples},
            {"test_error_percent": Printed(*errors[DATA.index(data)])},
            {"data": data, "model": name},
            epochs_factor=times,
        )
        for name, label, samples, times, *errors in RUN
    ]


def _difference(data: str, name: str, **bounds: float) -> Contrast:
    """Return the difference in test error between a row and ordinary dropout."""
    return difference(f"{data}_{name}", f"{data}_reproduced", ERROR, **bounds)


EXPERIMENT = Experiment(
    name="noh2017_table1",
    title="IWSGD with 4 and 8 samples, and four times the iterations, on CIFAR",
    paper=shared.PAPER,
    place="table 1",
    kind="trained",
    rows=tuple(row for data in DATA for row in (*_cited(data), *_run(data))),
    scales={
        "smoke": shared.SMOKE,
        "short": shared.short(
            ("cifar10_x4_iterations", "cifar10_reproduced", "cifar10_s_4"),
            cost="about 3 hours, two cores (estimate)",
        ),
        "paper": shared.paper("about 150 hours, one H200 (estimate)"),
    },
    metrics=("test_error_percent",),
    decimals={"test_error_percent": 2},
    base=shared.BASE,
    protocol=(
        *shared.PROTOCOL,
        "'x4 iterations' are 800 epochs, with milestones in proportion.",
    ),
    ours=shared.OURS,
    inconsistencies=(
        "The baseline has dropout 0.5, but the cited network has 0.3.",
        "3.58 and 3.55 on CIFAR-10 differ by less than their deviations (0.05, 0.11).",
    ),
    claims=(
        Claim(
            "IWSGD with 4 and 8 samples is better than ordinary dropout (S = 1).",
            tuple(
                _difference(data, name, high=0.0)
                for data in DATA
                for name in ("s_4", "s_8")
            ),
        ),
        Claim(
            "Four times the iterations make the result worse.",
            tuple(_difference(data, "x4_iterations", low=0.0) for data in DATA),
        ),
    ),
)
