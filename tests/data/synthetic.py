"""Small data sets on disk: an .npz file, and a TFDS folder as TFDS itself writes it."""

import io
import json

import numpy as np
from array_record.python import array_record_module
from PIL import Image
from tensorflow_datasets.proto import tf_example_pb2

VERSION = "3.0.1"


def arrays(train=200, test=60, shape=(4, 4, 1), num_classes=3, seed=0):
    """Return classes that differ in their bright rows, which are easy to learn."""
    rng = np.random.default_rng(seed)
    parts = {}
    for part, n in (("train", train), ("test", test)):
        y = np.arange(n) % num_classes
        x = rng.uniform(0, 0.6, (n, *shape))
        x[np.arange(n), y] += 0.4
        parts[f"x_{part}"] = x.astype(np.float32)
        parts[f"y_{part}"] = y.astype(np.int64)
    return parts


def write_npz(path, **changes):
    """Write `arrays()` with changes; a change to None removes an array."""
    parts = {**arrays(), **changes}
    np.savez(path, **{name: x for name, x in parts.items() if x is not None})
    return path


def write_tfds(root, name="mnist", sizes=None, num_classes=10, file_format=None):
    """Write a prepared data set of images; the first pixel numbers the example."""
    sizes = sizes or {"train": 50, "test": 20}
    folder = root / name / VERSION
    folder.mkdir(parents=True)
    infos = []
    for split, n in sizes.items():
        path = folder / f"{name}-{split}.array_record-00000-of-00001"
        writer = array_record_module.ArrayRecordWriter(str(path), "group_size:1")
        for i in range(n):
            writer.write(_record(i, i % num_classes))
        writer.close()
        infos.append(
            {
                "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
                "name": split,
                "numBytes": str(path.stat().st_size),
                "shardLengths": [str(n)],
            }
        )
    info = {
        "fileFormat": file_format or "array_record",
        "name": name,
        "moduleName": f"tensorflow_datasets.image_classification.{name}",
        "splits": infos,
        "version": VERSION,
    }
    if file_format == "tfrecord":
        del info["fileFormat"]  # as older versions of TFDS wrote it
    (folder / "dataset_info.json").write_text(json.dumps(info))
    (folder / "features.json").write_text(json.dumps(_features(num_classes)))
    return folder


def _record(i, label):
    pixels = np.zeros((28, 28), np.uint8)
    pixels[0, 0] = i
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    example = tf_example_pb2.Example()
    feature = example.features.feature
    feature["image"].bytes_list.value.append(file.getvalue())
    feature["label"].int64_list.value.append(label)
    return example.SerializeToString()


def _features(num_classes):
    module = "tensorflow_datasets.core.features"
    shape = {"dimensions": ["28", "28", "1"]}
    return {
        "pythonClassName": f"{module}.features_dict.FeaturesDict",
        "featuresDict": {
            "features": {
                "image": {
                    "pythonClassName": f"{module}.image_feature.Image",
                    "image": {"dtype": "uint8", "shape": shape},
                },
                "label": {
                    "pythonClassName": f"{module}.class_label_feature.ClassLabel",
                    "classLabel": {"numClasses": str(num_classes)},
                },
            }
        },
    }
