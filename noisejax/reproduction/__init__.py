"""Doing a paper's table or figure again: each row a run, its number beside the paper's."""

from noisejax.reproduction._driver import reproduce as reproduce
from noisejax.reproduction._listing import describe_experiments as describe_experiments
from noisejax.reproduction._listing import find_experiment as find_experiment
from noisejax.reproduction._results import read_results as read_results
