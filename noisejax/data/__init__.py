"""Data sets as arrays in memory."""

from noisejax.data._dataset import Dataset as Dataset
from noisejax.data._digits import load_digits as load_digits
from noisejax.data._load import dataset_names as dataset_names
from noisejax.data._load import load_dataset as load_dataset
from noisejax.data._npz import load_npz as load_npz
from noisejax.data._split import split_indices as split_indices
from noisejax.data._split import validation_size as validation_size
from noisejax.data._tfds import find_prepared as find_prepared
