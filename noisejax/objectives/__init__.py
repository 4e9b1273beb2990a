"""Objectives under noise: importance weights, the IWSGD bound and its loss."""

from noisejax.objectives._bound import BoundCurve as BoundCurve
from noisejax.objectives._bound import bound_curve as bound_curve
from noisejax.objectives._iwsgd import IWSGDAux as IWSGDAux
from noisejax.objectives._iwsgd import iwsgd as iwsgd
from noisejax.objectives._predictive import Predictive as Predictive
from noisejax.objectives._predictive import predictive as predictive
from noisejax.objectives._resample import check_independence as check_independence
from noisejax.objectives._targets import bernoulli_log_prob as bernoulli_log_prob
from noisejax.objectives._targets import gaussian_log_prob as gaussian_log_prob
from noisejax.objectives._targets import label_log_prob as label_log_prob
from noisejax.objectives._targets import sequence_log_prob as sequence_log_prob
from noisejax.objectives._targets import soft_label_log_prob as soft_label_log_prob
from noisejax.objectives._weights import effective_samples as effective_samples
from noisejax.objectives._weights import importance_weights as importance_weights
from noisejax.objectives._weights import iw_log_likelihood as iw_log_likelihood
