"""Handwritten digits of scikit-learn, which need no download."""

import numpy as np

from noisejax.data._dataset import Dataset

TEST_SIZE = 360
"""Number of test images out of 1,797."""


def load_digits() -> Dataset:
    """Load 1,437 training and 360 test images, stratified by class.

    Returns:
      The data set. Images have the shape (8, 8, 1) and float32 pixels in [0, 1].
    """
    from sklearn import datasets, model_selection  # slow to import

    digits = datasets.load_digits()
    images = (digits.images / 16).astype(np.float32)[..., None]
    labels = digits.target.astype(np.int32)
    train_x, test_x, train_y, test_y = model_selection.train_test_split(
        images, labels, test_size=TEST_SIZE, random_state=0, stratify=labels
    )
    return Dataset("digits", train_x, train_y, test_x, test_y, 10)
