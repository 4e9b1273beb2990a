"""Noh et al. 2017, table 2: IWSGD on a network that answers questions about images."""

from noisejax.experiments import _noh2017 as shared
from noisejax.experiments._claims import Claim, Contrast, difference
from noisejax.experiments._experiment import Experiment, Printed, Row
from noisejax.experiments._scales import Scale, smoke

ACCURACY = "test_accuracy_percent"
TYPES = ("all", "yes_no", "number", "other")
OPEN = tuple(f"open_ended_percent/{name}" for name in TYPES)
CHOICE = tuple(f"multiple_choice_percent/{name}" for name in TYPES)
PLAIN = tuple(f"answer_percent/{name}" for name in TYPES[1:])

UNTESTABLE = {
    "short": "the small data have no answers of ten people, which VQA's accuracy needs"
}

METHODS: dict[str, shared.Method] = {
    "s_1": (
        "SAN with 2-layer LSTM (reproduced)",
        {},
        (60.19, 79.69, 36.74, 48.84, 64.77, 79.72, 39.03, 57.82),
        1,
    ),
    "s_5": (
        "with IWSGD (S = 5)",
        shared.samples(5),
        (60.31, 80.74, 34.70, 48.66, 65.01, 80.73, 36.36, 58.05),
        1,
    ),
    "s_8": (
        "with IWSGD (S = 8)",
        shared.samples(8),
        (60.41, 80.86, 35.56, 48.56, 65.21, 80.77, 37.56, 58.18),
        1,
    ),
    "question_only": (
        "S = 1, the question only",
        {"model.name": "question_lstm"},
        (),
        1,
    ),
    **shared.controls(0.7968),
}
"""Methods; printed numbers are in the order of `OPEN` and `CHOICE`."""

CITED = Row(
    "yang_2016",
    "SAN (Yang et al. 2016)",
    printed={
        metric: Printed(value)
        for metric, value in zip(OPEN, (58.68, 79.28, 36.56, 46.09), strict=True)
    },
    factors={"method": "yang_2016"},
    cited=True,
)


def _gains(metric: str) -> tuple[Contrast, ...]:
    """Return the contrasts "5 samples are better than 1, and 8 are better than 5"."""
    return (
        difference("s_5", "s_1", metric, low=0.0),
        difference("s_8", "s_5", metric, low=0.0),
    )


def _higher(method: str, other: str) -> Contrast:
    return difference(method, other, ACCURACY, low=0.0)


EXPERIMENT = Experiment(
    name="noh2017_table2",
    title="IWSGD on a network that answers questions about images (VQA)",
    paper=shared.PAPER,
    place="table 2",
    kind="measured",
    rows=(
        CITED,
        *(shared.method_row(*item, (*OPEN, *CHOICE)) for item in METHODS.items()),
    ),
    scales={
        "smoke": smoke(1 / 128),
        "short": Scale(
            (
                "6 % of VQA v1.0: 13,937 training questions, of which 13,324 have a "
                "frequent answer; tested on 3,684 validation questions, not on "
                "test-dev",
                "7 x 7 features of a frozen EfficientNet-Lite0, reduced to 128 "
                "channels, instead of VGG-16's",
                "64 units, 8 epochs, learning rate 0.003",
            ),
            "about 4 hours, one core (estimate)",
            overrides={"training.epochs": 8, "optimizer.learning_rate": 0.003},
            width_factor=1 / 16,
            num_seeds=3,
        ),
        "paper": Scale(
            (
                "tested on the validation questions, not on test-dev",
                "20 epochs; the paper does not print the number",
            ),
            "about 10 hours, one H200 (estimate)",
            num_seeds=3,
        ),
    },
    metrics=(ACCURACY, *PLAIN, *OPEN, *CHOICE),
    decimals=dict.fromkeys((*OPEN, *CHOICE), 2),
    measurements=("answers",),
    base={
        **shared.FEATURES,
        "data.name": "questions",
        "model.name": "stacked_attention",
        "model.widths": (1024,),
        "noise.hidden_rate": 0.5,
        "optimizer.learning_rate": 0.001,
        "optimizer.clip_norm": 5.0,
        "training.epochs": 20,
    },
    protocol=(
        "The network is that of Yang et al. 2016 with one attention layer and a "
        "two-layer LSTM on word embeddings. Image features are pool5 of VGG-16.",
        "The network is trained on VQA and tested on test-dev, for open-ended and "
        "multiple-choice answers.",
    ),
    ours=(
        "The network has 1,024 units and dropout 0.5 on the sum of question and image "
        "before the output layer, as in the published settings of Yang et al. The "
        "optimizer is Adam with a learning rate that starts at 0.001 and follows a "
        "cosine. Batches have 100 questions. The paper prints none of these settings.",
        "The classes are the 1,000 most frequent answers of the training set. Training "
        "questions with other answers are skipped. Questions are cut after 14 words.",
        "Test accuracy is the share of test questions for which the network gives the "
        "most frequent human answer. If the data have no answer types, they are "
        "derived from the text of the answers.",
        "The level of random dropout gives the variance of dropout at rate 0.5.",
        "The test questions are not used in training. The last epoch is tested.",
    ),
    inconsistencies=(
        "'Increasing the number of samples consistently improves performance': the "
        "open-ended accuracies of Num fall from 36.74 to 34.70 and 35.56, and those of "
        "Others from 48.84 to 48.66 and 48.56.",
        "The multiple-choice accuracies of Num fall from 39.03 to 36.36 and 37.56.",
        "Neither a spread over seeds nor the number of seeds is printed.",
    ),
    claims=(
        Claim(
            "The network uses the image: it is more accurate than with the question "
            "only (our question).",
            (_higher("s_1", "question_only"),),
        ),
        Claim(
            "More samples improve the overall accuracy, open-ended and multiple "
            "choice.",
            (*_gains(OPEN[0]), *_gains(CHOICE[0])),
            untestable=UNTESTABLE,
        ),
        Claim(
            "More samples improve our test accuracy (our question).",
            _gains(ACCURACY),
        ),
        *shared.questions("the accuracy", _higher),
        Claim(
            "Random dropout is better than dropout of the same variance (our "
            "question).",
            (_higher("random", "s_1"),),
        ),
    ),
)
