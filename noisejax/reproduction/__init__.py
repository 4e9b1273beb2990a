"""Doing a paper's table or figure again: a row is a run, beside what is printed."""

from noisejax.reproduction._claims import claims_table as claims_table
from noisejax.reproduction._driver import reproduce as reproduce
from noisejax.reproduction._listing import describe_experiments as describe_experiments
from noisejax.reproduction._listing import find_experiment as find_experiment
from noisejax.reproduction._results import read_results as read_results
