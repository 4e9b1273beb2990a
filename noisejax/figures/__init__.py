"""Figures of the papers and of our measurements, from arrays and saved results.

Every function draws one figure, 8 cm wide, or into a part of a page, and returns it;
`save` writes PNG and PDF. Colours belong to schemes, and serve all readers.
"""

from noisejax.figures._bound import bound_curve as bound_curve
from noisejax.figures._correlations import correlation_counts as correlation_counts
from noisejax.figures._correlations import correlations as correlations
from noisejax.figures._curves import training_curves as training_curves
from noisejax.figures._dropped_share import dropped_share as dropped_share
from noisejax.figures._errors import method_errors as method_errors
from noisejax.figures._errors import noise_levels as noise_levels
from noisejax.figures._errors import num_samples_errors as num_samples_errors
from noisejax.figures._estimates import estimates as estimates
from noisejax.figures._gaaf import acceleration as acceleration
from noisejax.figures._gaaf import shapes as shapes
from noisejax.figures._layers import gradient_information as gradient_information
from noisejax.figures._layers import net_variance as net_variance
from noisejax.figures._layers import sharpness as sharpness
from noisejax.figures._net_values import net_values as net_values
from noisejax.figures._net_values import slopes as slopes
from noisejax.figures._page import page as page
from noisejax.figures._pictures import back_projections as back_projections
from noisejax.figures._pictures import units_shut_off as units_shut_off
from noisejax.figures._residuals import residuals as residuals
from noisejax.figures._save import save as save
from noisejax.figures._shifts import input_shift as input_shift
from noisejax.figures._shifts import shift_images as shift_images
from noisejax.figures._shifts import shifts_against_activity as shifts_against_activity
from noisejax.figures._style import colours_of as colours_of
