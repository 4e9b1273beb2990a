"""Figures of measurements and errors, from arrays.

Each function draws one figure, 8 cm wide, and returns it. With the argument `figure` it
draws on a part of a page. `save` writes PNG and PDF files. A noise scheme has the same
colour in all figures.
"""

from noisejax.figures._back_projection import back_projections as back_projections
from noisejax.figures._back_projection import residuals as residuals
from noisejax.figures._back_projection import units_shut_off as units_shut_off
from noisejax.figures._bars import bars as bars
from noisejax.figures._bars import net_variance as net_variance
from noisejax.figures._curves import acceleration as acceleration
from noisejax.figures._curves import bound_curve as bound_curve
from noisejax.figures._curves import shapes as shapes
from noisejax.figures._curves import training_curves as training_curves
from noisejax.figures._densities import correlations as correlations
from noisejax.figures._densities import dropped_share as dropped_share
from noisejax.figures._densities import net_values as net_values
from noisejax.figures._densities import slopes as slopes
from noisejax.figures._errors import errors as errors
from noisejax.figures._errors import estimates as estimates
from noisejax.figures._errors import reliability as reliability
from noisejax.figures._page import page as page
from noisejax.figures._page import save as save
from noisejax.figures._shifts import input_shift as input_shift
from noisejax.figures._shifts import shift_images as shift_images
from noisejax.figures._shifts import shifts_against_activity as shifts_against_activity
from noisejax.figures._style import colours_of as colours_of
