"""Tables and figures of the papers as data: rows, printed numbers, protocols, scales.

`python -m noisejax.reproduce` runs them.
"""

import importlib

from noisejax.experiments._claims import Claim as Claim
from noisejax.experiments._claims import Contrast as Contrast
from noisejax.experiments._experiment import Experiment as Experiment
from noisejax.experiments._experiment import Printed as Printed
from noisejax.experiments._experiment import Row as Row
from noisejax.experiments._scales import SCALES as SCALES
from noisejax.experiments._scales import Overrides as Overrides
from noisejax.experiments._scales import Scale as Scale
from noisejax.experiments._scales import Value as Value
from noisejax.experiments._vocabulary import MEASUREMENTS as MEASUREMENTS
from noisejax.experiments._vocabulary import METRICS as METRICS

NAMES = (
    "bouthillier2015_figure1",
    "bouthillier2015_figure2",
    "bouthillier2015_figure3",
    "bouthillier2015_figure4",
    "bouthillier2015_figure5",
    "bouthillier2015_figure6",
    "hahn2018_figure1",
    "hahn2018_figure2",
    "hahn2018_figure3",
    "hahn2018_figure4",
    "hahn2018_table2",
    "hahn2018_table3",
    "hahn2018_table4",
    "hahn2018_table5",
    "ba2014_table1",
    "ba2014_table2",
    "ba2014_table3",
    "ba2014_table4",
    "ba2014_table5",
    "ba2014_table6",
    "ba2014_figure2",
    "noh2017_figure2",
    "noh2017_table1",
    "noh2017_table2",
    "noh2017_table3",
    "noh2017_table4",
    "factorial",
    "iwsgd",
    "inverted_mnist",
    "vit_factorial",
    "fine_tuning",
)
"""Names of the experiments, in the order of `--list`."""

EXPERIMENTS: dict[str, Experiment] = {
    name: importlib.import_module(f"{__name__}._{name}").EXPERIMENT for name in NAMES
}
"""Name -> experiment."""
