"""Noh et al. 2017, table 3: IWSGD on an LSTM that captions images."""

from noisejax.experiments import _noh2017 as shared
from noisejax.experiments._claims import Claim, difference
from noisejax.experiments._experiment import Experiment, Printed, Row
from noisejax.experiments._scales import Overrides, Scale, smoke

SCORES = ("bleu_4", "meteor", "cider")
"""Scores that the paper prints."""

METHODS: dict[str, tuple[str, Overrides, tuple[float, ...], int]] = {
    "s_1": ("Google-NIC (reproduced)", {}, (26.8, 22.6, 82.2), 1),
    "s_5": (
        "with IWSGD (S = 5)",
        {"objective.num_samples": 5},
        (27.5, 22.9, 83.6),
        1,
    ),
    "s_5_equal": (
        "S = 5, equal weights",
        {"objective.num_samples": 5, "objective.weighting": "equal"},
        (),
        1,
    ),
    "s_1_x5": ("S = 1, five times the epochs", {}, (), 5),
    "random": (
        "random dropout, S = 1",
        {"noise.scheme": "random_dropout", "noise.hidden_rate": 0.533},
        (),
        1,
    ),
    "no_noise": ("no noise", {"noise.scheme": "none"}, (), 1),
}
"""Name -> label, overrides, printed scores, factor on the epochs."""


def _row(method: str) -> Row:
    label, overrides, printed, epochs_factor = METHODS[method]
    return Row(
        method,
        label,
        overrides,
        {k: Printed(v) for k, v in zip(SCORES, printed, strict=False)},
        factors={"method": method},
        epochs_factor=epochs_factor,
        ours=not printed,
    )


EXPERIMENT = Experiment(
    name="noh2017_table3",
    title="IWSGD on an LSTM that captions images",
    paper=shared.PAPER,
    place="table 3",
    kind="measured",
    rows=tuple(_row(method) for method in METHODS),
    scales={
        "smoke": smoke(1 / 32, {"data.validation": 0.0}),
        "short": Scale(
            (
                "Flickr8k with 6,000 training images instead of COCO",
                "features of a frozen EfficientNet-Lite0 instead of VGG-16's",
                "256 units, 5 epochs",
            ),
            "about 10 hours, one core (estimate)",
            overrides={"training.epochs": 5},
            width_factor=1 / 2,
            num_seeds=3,
        ),
        "paper": Scale(
            ("20 epochs; the paper does not print the number",),
            "about 10 hours, one H200 (estimate)",
            num_seeds=3,
        ),
    },
    metrics=(
        *SCORES,
        *("bleu_1", "bleu_2", "bleu_3", "rouge_l", "test_accuracy_percent"),
    ),
    measurements=("captions",),
    base={
        "data.name": "captions",
        "data.validation": 0.0,
        "data.preprocess": ("standardise",),
        "model.name": "caption_lstm",
        "model.widths": (512,),
        "noise.scheme": "dropout",
        "noise.input_rate": 0.0,
        "noise.hidden_rate": 0.3,
        "objective.strategy": "fold",
        "optimizer.name": "adam",
        "optimizer.learning_rate": 0.002,
        "optimizer.clip_norm": 5.0,
        "training.epochs": 20,
        "training.batch_size": 100,
    },
    protocol=(
        "The model is that of Vinyals et al. 2015 with VGG-16 as fixed encoder and "
        "dropout on the hidden state of the LSTM.",
        "The model is trained and tested on COCO. BLEU-4, METEOR and CIDEr are "
        "computed by the COCO tool.",
    ),
    ours=(
        "The model has 512 units and dropout 0.3. The optimizer is Adam with a "
        "learning rate that starts at 0.002 and follows a cosine. Batches have 100 "
        "captions. The paper prints none of these settings.",
        "The dropout rate was chosen on the validation images with one seed: BLEU-4 "
        "was 14.8, 14.8 and 13.5 at rates 0.2, 0.3 and 0.5.",
        "Captions are decoded greedily without noise, up to 20 words. Scores use the "
        "tokens of the JSON file; no further tokenizer is applied.",
        "Test accuracy is the share of words that the model finds most likely given "
        "the preceding words, averaged over captions.",
        "The level of random dropout gives the variance of dropout at rate 0.3.",
        "The test images are not used in training. The last epoch is tested.",
    ),
    inconsistencies=(
        "Neither a spread over seeds nor the number of seeds is printed.",
    ),
    claims=(
        Claim(
            "IWSGD with S = 5 improves all three scores.",
            tuple(difference("s_5", "s_1", score, low=0.0) for score in SCORES),
        ),
        Claim(
            "Importance weights are better than equal weights (our question).",
            (difference("s_5", "s_5_equal", "cider", low=0.0),),
        ),
        Claim(
            "Five samples are better than five times the epochs (our question).",
            (difference("s_5", "s_1_x5", "cider", low=0.0),),
        ),
        Claim(
            "Dropout improves the captions (our question).",
            (difference("s_1", "no_noise", "cider", low=0.0),),
        ),
    ),
)
