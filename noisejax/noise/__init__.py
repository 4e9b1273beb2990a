"""Noise as data: schemes draw samples, one function applies them."""

from noisejax.noise._counting import SampleCount as SampleCount
from noisejax.noise._counting import count_samples as count_samples
from noisejax.noise._drop_path import DropPath as DropPath
from noisejax.noise._drop_path import drop_path as drop_path
from noisejax.noise._dropconnect import dropconnect as dropconnect
from noisejax.noise._dropout import Dropout as Dropout
from noisejax.noise._dropout import dropout as dropout
from noisejax.noise._folding import fold_into_conv as fold_into_conv
from noisejax.noise._folding import fold_into_dense as fold_into_dense
from noisejax.noise._folding import fold_through_max_pool as fold_through_max_pool
from noisejax.noise._gaussian import GaussianDropout as GaussianDropout
from noisejax.noise._gaussian import GaussianNoise as GaussianNoise
from noisejax.noise._gaussian import gaussian_dropout as gaussian_dropout
from noisejax.noise._gaussian import gaussian_noise as gaussian_noise
from noisejax.noise._keys import Key as Key
from noisejax.noise._keys import as_key as as_key
from noisejax.noise._levels import Rate as Rate
from noisejax.noise._mask import bernoulli_mask as bernoulli_mask
from noisejax.noise._random_dropout import RandomDropout as RandomDropout
from noisejax.noise._random_dropout import random_dropout as random_dropout
from noisejax.noise._rates import round_rate as round_rate
from noisejax.noise._running_mean import update_running_mean as update_running_mean
from noisejax.noise._sample import FactorSample as FactorSample
from noisejax.noise._sample import MaskSample as MaskSample
from noisejax.noise._sample import OffsetSample as OffsetSample
from noisejax.noise._sample import Sample as Sample
from noisejax.noise._sample import apply as apply
from noisejax.noise._sample import mask_sample as mask_sample
from noisejax.noise._sample_rate import sample_rate as sample_rate
from noisejax.noise._scheme import Scheme as Scheme
from noisejax.noise._scheme import sample_like as sample_like
from noisejax.noise._shift import invariant_dropout as invariant_dropout
from noisejax.noise._shift import shift as shift
from noisejax.noise._shift_priors import shift_decay_penalty as shift_decay_penalty
from noisejax.noise._shift_priors import (
    shift_variance_penalty as shift_variance_penalty,
)
from noisejax.noise._spatial_dropout import SpatialDropout as SpatialDropout
from noisejax.noise._spatial_dropout import spatial_dropout as spatial_dropout
