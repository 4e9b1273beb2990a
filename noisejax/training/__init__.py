"""Training runs: from a configuration to a folder of results."""

from noisejax.training._build import build_model as build_model
from noisejax.training._check import check_config as check_config
from noisejax.training._config import Config as Config
from noisejax.training._files import Workdir as Workdir
from noisejax.training._files import write_bytes as write_bytes
from noisejax.training._load_run import TrainedRun as TrainedRun
from noisejax.training._load_run import load_run as load_run
from noisejax.training._metrics import read_metrics as read_metrics
from noisejax.training._processes import ProcessLost as ProcessLost
from noisejax.training._processes import TrainingError as TrainingError
from noisejax.training._processes import TrainingStopped as TrainingStopped
from noisejax.training._processes import is_first as is_first
from noisejax.training._processes import join_processes as join_processes
from noisejax.training._project_dataset import ProjectedDataset as ProjectedDataset
from noisejax.training._project_dataset import project_dataset as project_dataset
from noisejax.training._read_run import is_finished as is_finished
from noisejax.training._read_run import read_summary as read_summary
from noisejax.training._read_run import recorded_config as recorded_config
from noisejax.training._record import describe as describe
from noisejax.training._record import describe_run as describe_run
from noisejax.training._record import from_dict as from_dict
from noisejax.training._record import to_dict as to_dict
from noisejax.training._record import unknown_field as unknown_field
from noisejax.training._run import train as train
from noisejax.training._summary import show_spread as show_spread
