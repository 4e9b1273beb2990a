"""Fields of a network and of its noise."""

import dataclasses

from noisejax.training._fields import Fields, field


@dataclasses.dataclass
class ModelConfig(Fields):
    """Network."""

    name: str = field(
        "mlp",
        "network (a learning rate near 0.001 suits autoencoder; soft_targets is an mlp "
        "with a distribution per tissue; cnn to four_conv are convolutional)",
        choices=("mlp", "autoencoder", "soft_targets", "wide_resnet", "cnn")
        + ("maxout_cifar", "maxout_svhn", "vgg", "four_conv", "vit", "fusion")
        + ("caption_lstm", "stacked_attention", "question_lstm"),
    )
    widths: tuple[int, ...] = field(
        (1000, 1000),
        "units of the hidden layers of mlp, autoencoder, soft_targets, fusion, or one "
        "number for caption_lstm, stacked_attention and question_lstm",
    )
    depth: int = field(28, "depth of a wide_resnet: 6 n + 4", least=10)
    width_factor: float = field(
        1.0,
        "width factor of a wide_resnet; multiple of the published widths of a "
        "convolutional network",
        positive=True,
    )
    blocks: int = field(4, "blocks of a vit", least=1)
    token_width: int = field(64, "units of a vit's tokens", least=1)
    heads: int = field(4, "attention heads of a vit", least=1)
    patch: int = field(
        4, "side of a vit's patches, in pixels (2 suits digits)", least=1
    )
    pooling: str = field("token", "source of a vit's output", choices=("token", "mean"))
    batch_norm: bool = field(False, "normalise pre-activations over the batch")
    pieces: int = field(
        1, "linear pieces of an mlp's maxout units; 1: activation", least=1
    )
    activation: str = field(
        "relu",
        "activation of the hidden layers",
        choices=("relu", "tanh", "sigmoid", "gelu", "silu", "softplus", "linear"),
    )
    gaaf: bool = field(
        False, "add gradient acceleration to the activation (Hahn, eq. 8)"
    )
    shape_constants: tuple[float, ...] = field(
        (),
        "constants of gaaf's shape function: decay (tanh), steepness and offset (relu "
        "and its like); (): 1 and 1, 3",
    )
    kernel_init: str = field(
        "lecun_normal",
        "initial kernels (a wide_resnet has its own)",
        choices=("he_normal", "glorot_uniform", "lecun_normal"),
    )


@dataclasses.dataclass
class NoiseConfig(Fields):
    """Noise on the input and on each hidden layer."""

    scheme: str = field(
        "dropout",
        "noise scheme (the rates of gaussian_noise are standard deviations)",
        choices=("none", "dropout", "random_dropout", "random_dropout_per_batch")
        + ("gaussian_dropout", "gaussian_noise"),
    )
    input_rate: float = field(0.2, "rate on the input")
    hidden_rate: float = field(0.5, "rate on the hidden layers")
    hidden_rates: tuple[float, ...] = field(
        (), "rates of the single hidden layers, instead of hidden_rate"
    )
    recurrent_rate: float = field(
        0.0, "rate on a caption_lstm's recurrent state, one factor for all words"
    )
    embedding_rate: float = field(0.0, "rate on a vit's embedded patches")
    attention_rate: float = field(0.0, "rate on a vit's attention weights")
    residual_rate: float = field(
        0.0, "rate on the outputs of a vit's attention and dense layers"
    )
    path_rate: float = field(
        0.0,
        "rate of drop path in a vit's last block, whatever the scheme; rates rise "
        "linearly with depth",
    )
    level_per: str = field(
        "example",
        "unit of random_dropout's levels: one per example, per token of a vit, or per "
        "head on its attention weights",
        choices=("example", "token", "head"),
    )
    schedule: str = field(
        "constant",
        "factor of all rates and standard deviations over the steps",
        choices=("constant", "linear", "cosine"),
    )
    start_factor: float = field(1.0, "factor at the first step", least=0)
    end_factor: float = field(0.0, "factor at the end of the schedule", least=0)
    schedule_epochs: int = field(
        0, "epochs until end_factor is reached; 0: training.epochs", least=0
    )
    shift: str = field(
        "none",
        "shifts of invariant dropout (Ba); running_average is the baseline that "
        "subtracts it everywhere",
        choices=("none", "input", "hidden", "both", "running_average"),
    )
    shift_start: str = field(
        "zero",
        "value of learned shifts before training (minus_mean: minus the mean activity "
        "on the first 1,000 training examples)",
        choices=("zero", "minus_mean"),
    )
    bits: int = field(32, "random bits per unit", choices=(32, 8))
    scale: bool = field(True, "scale kept units by 1 / (1 - rate) while training")
