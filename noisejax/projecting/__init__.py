"""A trained run seen through back-projection: pictures, residuals, distances."""

from noisejax.projecting._project_run import Amounts as Amounts
from noisejax.projecting._project_run import project_run as project_run
