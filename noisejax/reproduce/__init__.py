"""Runs the rows of an experiment and tabulates them next to the paper's numbers."""

from noisejax.reproduce._driver import MeasurementError as MeasurementError
from noisejax.reproduce._driver import reproduce as reproduce
from noisejax.reproduce._results import read_results as read_results
from noisejax.reproduce._rows import Seen as Seen
from noisejax.reproduce._rows import check_full_width as check_full_width
from noisejax.reproduce._rows import describe_experiments as describe_experiments
from noisejax.reproduce._rows import distinct_rows as distinct_rows
from noisejax.reproduce._rows import find_experiment as find_experiment
from noisejax.reproduce._rows import find_rows as find_rows
from noisejax.reproduce._rows import row_config as row_config
