"""Measurements of trained networks, and their figures."""

from noisejax.evaluators._back_projection import sample as sample
from noisejax.evaluators._back_projection import shut_units_off as shut_units_off
from noisejax.evaluators._curves import RunCurves as RunCurves
from noisejax.evaluators._curves import curve as curve
from noisejax.evaluators._curves import read_curves as read_curves
from noisejax.evaluators._diagnose import MEASUREMENTS as MEASUREMENTS
from noisejax.evaluators._diagnose import diagnose as diagnose
from noisejax.evaluators._diagnose import draw_page as draw_page
from noisejax.evaluators._diagnose import measure_all as measure_all
from noisejax.evaluators._gradient_information import information as information
from noisejax.evaluators._layers import from_run as from_run
from noisejax.evaluators._measurement import Amounts as Amounts
from noisejax.evaluators._measurement import Drawing as Drawing
from noisejax.evaluators._measurement import drawing as drawing
from noisejax.evaluators._measurement import layer_title as layer_title
from noisejax.evaluators._measurement import page as page
from noisejax.evaluators._measurement import titled as titled
from noisejax.evaluators._project import ProjectOptions as ProjectOptions
from noisejax.evaluators._project import project as project
from noisejax.evaluators._residuals import spread as spread
from noisejax.evaluators._results import report_failures as report_failures
from noisejax.evaluators._trained_model import NotMeasuredError as NotMeasuredError
from noisejax.evaluators._trained_model import TrainedModel as TrainedModel
from noisejax.evaluators._trained_model import from_function as from_function
