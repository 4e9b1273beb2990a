"""Measurements of the effects of noise in a network, as pure functions."""

from noisejax.diagnostics._calibration import Calibration as Calibration
from noisejax.diagnostics._calibration import calibration as calibration
from noisejax.diagnostics._conditional_net_variance import NetMoments as NetMoments
from noisejax.diagnostics._conditional_net_variance import NoiseMoments as NoiseMoments
from noisejax.diagnostics._conditional_net_variance import (
    conditional_net_variance as conditional_net_variance,
)
from noisejax.diagnostics._conditional_net_variance import net_moments as net_moments
from noisejax.diagnostics._conditional_net_variance import (
    noise_moments as noise_moments,
)
from noisejax.diagnostics._correlations import CorrelationCounts as CorrelationCounts
from noisejax.diagnostics._correlations import correlation_counts as correlation_counts
from noisejax.diagnostics._correlations import node_correlations as node_correlations
from noisejax.diagnostics._dropped_share import dropped_counts as dropped_counts
from noisejax.diagnostics._dropped_share import dropped_share_law as dropped_share_law
from noisejax.diagnostics._gradient_information import (
    GradientAverage as GradientAverage,
)
from noisejax.diagnostics._gradient_information import (
    gradient_information as gradient_information,
)
from noisejax.diagnostics._gradient_information import (
    start_gradient_average as start_gradient_average,
)
from noisejax.diagnostics._gradient_information import (
    update_gradient_average as update_gradient_average,
)
from noisejax.diagnostics._net_variance import NetVariance as NetVariance
from noisejax.diagnostics._net_variance import net_variance as net_variance
from noisejax.diagnostics._noise_report import NoiseReport as NoiseReport
from noisejax.diagnostics._noise_report import report_noise as report_noise
from noisejax.diagnostics._saturation import NetHistogram as NetHistogram
from noisejax.diagnostics._saturation import activation_slope as activation_slope
from noisejax.diagnostics._saturation import net_histogram as net_histogram
from noisejax.diagnostics._saturation import plain_activation as plain_activation
from noisejax.diagnostics._saturation import saturation as saturation
from noisejax.diagnostics._sharpness import Sharpness as Sharpness
from noisejax.diagnostics._sharpness import sharpness as sharpness
from noisejax.diagnostics._shifts import ShiftActivity as ShiftActivity
from noisejax.diagnostics._shifts import input_shift_effect as input_shift_effect
from noisejax.diagnostics._shifts import (
    shift_against_activity as shift_against_activity,
)
from noisejax.diagnostics._slope_under_noise import SlopeUnderNoise as SlopeUnderNoise
from noisejax.diagnostics._slope_under_noise import expected_slope as expected_slope
from noisejax.diagnostics._slope_under_noise import (
    slope_under_noise as slope_under_noise,
)
