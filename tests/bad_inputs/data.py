"""Wrong arguments of `data`."""

import numpy as np

from noisejax import data
from tests.bad_inputs.arrays import IMAGES, X, key

DATA = {
    "load_dataset: an unknown name": (
        lambda: data.load_dataset("mnit"),
        "one of digits, .*mnist.* got 'mnit'",
    ),
    "local_path: a URL": (
        lambda: data.local_path("s3://bucket/run", "--workdir"),
        "--workdir must be a local path, got the URL 's3://bucket/run'; mount",
    ),
    "load_npz: no file": (lambda: data.load_npz("no/own.npz"), "no such file"),
    "find_prepared: an empty folder": (
        lambda: data.find_prepared("mnist", "/nonexistent"),
        "no prepared dataset 'mnist'.*prepare it with",
    ),
    "prepare_dataset: an unknown name": (
        lambda: data.prepare_dataset("digits"),
        r"got 'digits' \(digits needs no preparation\)",
    ),
    "generate: an unknown name": (lambda: data.generate("mnit"), "mnit"),
    "preprocess: an unknown step": (
        lambda: data.preprocess(data.load_digits(), ("whiten",)),
        "one of gcn, zca, pca, standardise; got 'whiten'",
    ),
    "fit_preprocessing: an unknown step": (
        lambda: data.fit_preprocessing(X, ("whiten",)),
        "one of gcn, zca, pca, standardise; got 'whiten'",
    ),
    "load_preprocessing: no file": (
        lambda: data.load_preprocessing("no/preprocessing.npz"),
        "no/preprocessing.npz cannot be read",
    ),
    "fit_pca: too many components": (
        lambda: data.fit_pca(X, num_components=6),
        r"num_components must lie in 1\.\.",
    ),
    "fit_zca: a negative epsilon": (lambda: data.fit_zca(X, epsilon=-1.0), "epsilon"),
    "random_crop: one image": (
        lambda: data.random_crop(key(), IMAGES[0]),
        "images",
    ),
    "random_crop: more padding than image": (
        lambda: data.random_crop(key(), IMAGES, padding=6),
        r"less than the images' sides \(6, 6\)",
    ),
    "random_flip: vectors": (lambda: data.random_flip(key(), X), "images"),
    "augment: vectors": (lambda: data.augment(key(), X), "images"),
    "validation_size: a negative share": (
        lambda: data.validation_size(10, -0.1),
        "got -0.1",
    ),
    "split_indices: more than there are": (
        lambda: data.split_indices(10, 10, seed=0),
        "a number of them below 10, got 10",
    ),
    "load_captions: no file": (
        lambda: data.load_captions("/nowhere/dataset.json", "/nowhere/features.npz"),
        "/nowhere/dataset.json: no such file",
    ),
    "load_questions: no folder": (
        lambda: data.load_questions("/nowhere"),
        "found 0 such folders in /nowhere",
    ),
    "load_two_stream: no file": (
        lambda: data.load_two_stream("/nowhere/two_stream.npz"),
        "/nowhere/two_stream.npz: no such file",
    ),
    "make_real_targets: equal targets": (
        lambda: data.make_real_targets("own", X, X[:, 0] * 0, X, X[:, 0]),
        "standard deviation of the training targets is 0.0",
    ),
    "make_real_targets: integers": (
        lambda: data.make_real_targets("own", X, np.arange(len(X)), X, X[:, 0]),
        "train targets must be floating numbers",
    ),
    "select_classes: a class that does not exist": (
        lambda: data.select_classes(data.load_dataset("digits"), (3, 10)),
        r"different labels below 10 with examples in digits; got \(3, 10\)",
    ),
    "split_per_class: parts of another number": (
        lambda: data.split_per_class(
            np.zeros(4, np.int32), part_sizes=(3,), per_class=(1,), seed=0
        ),
        "part_sizes",
    ),
    "load_soft_targets: no file": (
        lambda: data.load_soft_targets("no/own.npz", test_partition=0),
        "no such file",
    ),
}
