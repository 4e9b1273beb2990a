"""The papers' tables and figures as data: rows, printed numbers, protocols, scales.

Nothing here runs anything; `python -m noisejax.reproduce` does.
"""

from noisejax.experiments import _ba2014_figure2 as _ba2014_figure2
from noisejax.experiments import _ba2014_table1 as _ba2014_table1
from noisejax.experiments import _ba2014_table2 as _ba2014_table2
from noisejax.experiments import _ba2014_table3 as _ba2014_table3
from noisejax.experiments import _ba2014_table4 as _ba2014_table4
from noisejax.experiments import _ba2014_table5 as _ba2014_table5
from noisejax.experiments import _ba2014_table6 as _ba2014_table6
from noisejax.experiments import _bouthillier2015_figure1 as _bouthillier2015_figure1
from noisejax.experiments import _bouthillier2015_figure2 as _bouthillier2015_figure2
from noisejax.experiments import _bouthillier2015_figure3 as _bouthillier2015_figure3
from noisejax.experiments import _bouthillier2015_figure4 as _bouthillier2015_figure4
from noisejax.experiments import _bouthillier2015_figure5 as _bouthillier2015_figure5
from noisejax.experiments import _bouthillier2015_figure6 as _bouthillier2015_figure6
from noisejax.experiments import _factorial as _factorial
from noisejax.experiments import _hahn2018_figure1 as _hahn2018_figure1
from noisejax.experiments import _hahn2018_figure2 as _hahn2018_figure2
from noisejax.experiments import _hahn2018_figure3 as _hahn2018_figure3
from noisejax.experiments import _hahn2018_figure4 as _hahn2018_figure4
from noisejax.experiments import _hahn2018_table2 as _hahn2018_table2
from noisejax.experiments import _hahn2018_table3 as _hahn2018_table3
from noisejax.experiments import _hahn2018_table4 as _hahn2018_table4
from noisejax.experiments import _hahn2018_table5 as _hahn2018_table5
from noisejax.experiments import _inverted_mnist as _inverted_mnist
from noisejax.experiments import _iwsgd as _iwsgd
from noisejax.experiments import _noh2017_figure2 as _noh2017_figure2
from noisejax.experiments import _noh2017_table1 as _noh2017_table1
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

EXPERIMENTS: dict[str, Experiment] = {
    "bouthillier2015_figure1": _bouthillier2015_figure1.EXPERIMENT,
    "bouthillier2015_figure2": _bouthillier2015_figure2.EXPERIMENT,
    "bouthillier2015_figure3": _bouthillier2015_figure3.EXPERIMENT,
    "bouthillier2015_figure4": _bouthillier2015_figure4.EXPERIMENT,
    "bouthillier2015_figure5": _bouthillier2015_figure5.EXPERIMENT,
    "bouthillier2015_figure6": _bouthillier2015_figure6.EXPERIMENT,
    "hahn2018_figure1": _hahn2018_figure1.EXPERIMENT,
    "hahn2018_figure2": _hahn2018_figure2.EXPERIMENT,
    "hahn2018_figure3": _hahn2018_figure3.EXPERIMENT,
    "hahn2018_figure4": _hahn2018_figure4.EXPERIMENT,
    "hahn2018_table2": _hahn2018_table2.EXPERIMENT,
    "hahn2018_table3": _hahn2018_table3.EXPERIMENT,
    "hahn2018_table4": _hahn2018_table4.EXPERIMENT,
    "hahn2018_table5": _hahn2018_table5.EXPERIMENT,
    "ba2014_table1": _ba2014_table1.EXPERIMENT,
    "ba2014_table2": _ba2014_table2.EXPERIMENT,
    "ba2014_table3": _ba2014_table3.EXPERIMENT,
    "ba2014_table4": _ba2014_table4.EXPERIMENT,
    "ba2014_table5": _ba2014_table5.EXPERIMENT,
    "ba2014_table6": _ba2014_table6.EXPERIMENT,
    "ba2014_figure2": _ba2014_figure2.EXPERIMENT,
    "noh2017_figure2": _noh2017_figure2.EXPERIMENT,
    "noh2017_table1": _noh2017_table1.EXPERIMENT,
    "factorial": _factorial.EXPERIMENT,
    "iwsgd": _iwsgd.EXPERIMENT,
    "inverted_mnist": _inverted_mnist.EXPERIMENT,
}
"""Name -> experiment, in the order of `--list`."""
