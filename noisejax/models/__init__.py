"""Linen networks that return (output, activations by name)."""

from noisejax.models._caption_lstm import CaptionLSTM as CaptionLSTM
from noisejax.models._conv_net import ARCHITECTURES as ARCHITECTURES
from noisejax.models._conv_net import BA_CNN as BA_CNN
from noisejax.models._conv_net import FOUR_CONV as FOUR_CONV
from noisejax.models._conv_net import MAXOUT_CIFAR as MAXOUT_CIFAR
from noisejax.models._conv_net import MAXOUT_SVHN as MAXOUT_SVHN
from noisejax.models._conv_net import VGG as VGG
from noisejax.models._conv_net import Architecture as Architecture
from noisejax.models._conv_net import ConvNet as ConvNet
from noisejax.models._conv_net import Stage as Stage
from noisejax.models._convolutions import (
    bfloat16_convolutions as bfloat16_convolutions,
)
from noisejax.models._convolutions import convolutions as convolutions
from noisejax.models._decoding import beam_search as beam_search
from noisejax.models._mlp import MLP as MLP
from noisejax.models._mlp import Autoencoder as Autoencoder
from noisejax.models._mlp import Fusion as Fusion
from noisejax.models._mlp import SoftTargetMLP as SoftTargetMLP
from noisejax.models._network import Activations as Activations
from noisejax.models._network import maxout as maxout
from noisejax.models._products import bfloat16_products as bfloat16_products
from noisejax.models._products import flat_products as flat_products
from noisejax.models._stacked_attention import StackedAttention as StackedAttention
from noisejax.models._transformer import Transformer as Transformer
from noisejax.models._transformer import ViT as ViT
from noisejax.models._wide_resnet import WideResNet as WideResNet
