"""Noh et al. 2017, figure 2: more noise samples at several dropout rates."""

from noisejax.experiments import _noh2017 as shared
from noisejax.experiments._claims import ERROR, Claim, better, similar
from noisejax.experiments._experiment import Experiment, Row

RATES = (0.1, 0.3, 0.5, 0.7)
SAMPLES = (1, 4, 8)
DATA = ("cifar10", "cifar100")


def _point(data: str, rate: float, samples: int) -> Row:
    return Row(
        name=f"{data}_rate_{rate}_s_{samples}",
        label=f"{data}, dropout {rate}, S = {samples}",
        overrides={
            "data.name": data,
            "noise.hidden_rate": rate,
            "objective.num_samples": samples,
        },
        factors={"data": data, "rate": rate, "samples": samples},
    )


def _control(samples: int, name: str, label: str, field: str, value: str) -> Row:
    return Row(
        f"cifar10_rate_0.5_s_{samples}_{name}",
        f"cifar10, dropout 0.5, S = {samples}, {label}",
        {
            "data.name": "cifar10",
            "objective.num_samples": samples,
            f"objective.{field}": value,
        },
        factors={"data": "cifar10", "rate": 0.5, "samples": samples, field: value},
        ours=True,
    )


OWN_STATISTICS = "each sample with batch statistics of its own"

CONTROLS = (
    _control(4, "vmap", OWN_STATISTICS, "strategy", "vmap"),
    _control(4, "equal", "equal weights", "weighting", "equal"),
    _control(8, "equal", "equal weights", "weighting", "equal"),
)
"""Rows of ours. Equal weights give the objective of ordinary dropout."""

EXPERIMENT = Experiment(
    name="noh2017_figure2",
    title="IWSGD with S samples at several dropout rates, wide residual networks",
    paper=shared.PAPER,
    place="figure 2",
    kind="trained",
    rows=(
        *(
            _point(data, rate, samples)
            for data in DATA
            for rate in RATES
            for samples in SAMPLES
        ),
        *CONTROLS,
    ),
    scales={
        "smoke": shared.SMOKE,
        "short": shared.short(
            tuple(
                f"cifar10_rate_{rate}_s_{samples}"
                for rate in (0.1, 0.5)
                for samples in (1, 4)
            ),
            cost="about 2 hours, two cores",
        ),
        "paper": shared.paper("about 500 hours, one H200 (estimate)"),
    },
    drawn=("test_error_percent",),
    metrics=("test_error_percent",),
    base=shared.BASE,
    figure="test error against the dropout rate, one curve per S, with deviations",
    protocol=shared.PROTOCOL,
    ours=(
        "Dropout rates are 0.1, 0.3, 0.5 and 0.7. The paper does not print the rates "
        "of the figure.",
        *shared.OURS,
        "We added rows with equal weights, and a row in which each sample has its own "
        "batch statistics.",
    ),
    inconsistencies=("The values are shown in the figure only; none is printed.",),
    claims=(
        Claim(
            "Test errors fall as S rises, at every dropout rate.",
            tuple(
                better(f"{data}_rate_{rate}_s_{more}", f"{data}_rate_{rate}_s_{fewer}")
                for data in DATA
                for rate in RATES
                for fewer, more in ((1, 4), (4, 8))
            ),
        ),
        Claim(
            "With several samples the error is not sensitive to the rate (our test: "
            "the errors at rates 0.5 and 0.1 differ by less than 1 point).",
            tuple(
                similar(
                    f"{data}_rate_0.5_s_{samples}",
                    f"{data}_rate_0.1_s_{samples}",
                    ERROR,
                    1.0,
                )
                for data in DATA
                for samples in (4, 8)
            ),
            untestable={
                "short": "a network of width 1 underfits after 5 epochs, so that more "
                "dropout costs accuracy for every S"
            },
        ),
        Claim(
            "Importance weights give a lower error than equal weights (our question).",
            tuple(
                better(
                    f"cifar10_rate_0.5_s_{samples}",
                    f"cifar10_rate_0.5_s_{samples}_equal",
                )
                for samples in (4, 8)
            ),
        ),
    ),
)
