"""Noh et al. 2017, table 3: IWSGD on an LSTM that captions images."""

from noisejax.experiments import _noh2017 as shared
from noisejax.experiments._claims import Claim, Contrast, difference
from noisejax.experiments._experiment import Experiment
from noisejax.experiments._scales import Scale, smoke

SCORES = ("bleu_4", "meteor", "cider")
"""Scores that the paper prints."""

METHODS: dict[str, shared.Method] = {
    "s_1": ("Google-NIC (reproduced)", {}, (26.8, 22.6, 82.2), 1),
    "s_5": (
        "with IWSGD (S = 5)",
        {"objective.num_samples": 5},
        (27.5, 22.9, 83.6),
        1,
    ),
    **shared.controls(0.533),
}


def _higher(method: str, other: str) -> Contrast:
    return difference(method, other, "cider", low=0.0)


EXPERIMENT = Experiment(
    name="noh2017_table3",
    title="IWSGD on an LSTM that captions images",
    paper=shared.PAPER,
    place="table 3",
    kind="measured",
    rows=tuple(shared.method_row(*item, SCORES) for item in METHODS.items()),
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
        **shared.FEATURES,
        "data.name": "captions",
        "model.name": "caption_lstm",
        "model.widths": (512,),
        "noise.hidden_rate": 0.3,
        "optimizer.learning_rate": 0.002,
        "optimizer.clip_norm": 5.0,
        "training.epochs": 20,
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
        *shared.questions("the captions", _higher),
    ),
)
