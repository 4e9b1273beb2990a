"""Image captions as word ids, with image features (Noh et al. 2017, table 3)."""

import collections
import dataclasses
import pathlib
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from noisejax.data._json import read_list
from noisejax.data._npz import read_arrays

CAPTIONS = "captions"
"""Name of the data set."""

PADDING, END, UNKNOWN = 0, 1, 2
"""Ids of padding, the end of a caption and unknown words."""

SPECIAL = ("<padding>", "<end>", "<unknown>")

MAX_WORDS, MIN_COUNT = 20, 5
"""Maximum length of a caption, and minimum count of a word in the training captions."""

SPLITS = {"train": "train", "restval": "train", "val": "val", "test": "test"}


@dataclasses.dataclass(frozen=True)
class Captions:
    """A data set whose examples are pairs of an image and a caption.

    Attributes:
      name: name of the data set.
      train_x: image features of the training captions, float32 [N, F].
      train_y: word ids of the training captions, int32 [N, T]. Each row has the words
        of a caption, the end 1 and padding 0.
      test_x: image features of the test captions, [M, F].
      test_y: word ids of the test captions, [M, T].
      test_image: index of the image of each test caption, int32 [M].
      words: word of each id.
      references: captions of each test image, as text.
    """

    name: str
    train_x: Float[np.ndarray, "captions features"]
    train_y: Int[np.ndarray, "captions words"]
    test_x: Float[np.ndarray, "tests features"]
    test_y: Int[np.ndarray, "tests words"]
    test_image: Int[np.ndarray, " tests"]
    words: tuple[str, ...]
    references: tuple[tuple[str, ...], ...]

    @property
    def num_classes(self) -> int:
        """Number of word ids."""
        return len(self.words)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the features of one image."""
        return self.train_x.shape[1:]

    def text(self, ids: Int[np.ndarray, " length"]) -> str:
        """Convert a sequence of ids to text, up to the end of the caption."""
        ids = np.asarray(ids).tolist()
        end = ids.index(END) if END in ids else len(ids)
        return " ".join(self.words[i] for i in ids[:end] if i != PADDING)


def load_captions(
    captions: str | pathlib.Path, features: str | pathlib.Path, *, test_on: str = "test"
) -> Captions:
    """Load captions from a JSON file, and image features from an .npz file.

    The JSON file has the common format of Karpathy's splits and may be in a .zip file.
    It has a list `images`, each with `filename`, `split` (train, restval, val or test)
    and `sentences`, each with a list `tokens`. The .npz file has `filename` [N] and the
    features `pooled` [N, F]. Features are multiplied by `pooled_scale`, a number or
    [F], if the file has this array.

    The vocabulary has the words that occur at least five times in the training
    captions. Captions are truncated to 20 words.

    Args:
      captions: path of the .json or .zip file.
      features: path of the .npz file.
      test_on: split of the test images, "test" or "val".

    Returns:
      The data set.

    Raises:
      FileNotFoundError: a file is missing.
      ValueError: a file is damaged or has another format, or the files have different
        images.
    """
    captions, features = pathlib.Path(captions), pathlib.Path(features)
    images = _read_images(captions)
    rows = _read_features(features)
    names = [image["filename"] for image in images]
    for have, other, what in (
        (names, set(rows), f"{captions}: no feature in {features.name} for"),
        (list(rows), set(names), f"{features}: no captions in {captions.name} for"),
    ):
        missing = [name for name in have if name not in other]
        if missing:
            raise ValueError(
                f"{what} {len(missing)} images, the first {missing[0]!r}; the files "
                "must hold the same images"
            )
    groups = {part: [] for part in ("train", "val", "test")}
    for image in images:
        groups[SPLITS[image["split"]]].append(image)
    if not groups["train"] or not groups.get(test_on):
        raise ValueError(
            f"{captions}: images of the splits train and {test_on} are needed; got "
            f"{ ({part: len(group) for part, group in groups.items()}) }"
        )
    return _make(captions.stem, groups["train"], groups[test_on], rows)


def find_captions(
    data_dir: str | pathlib.Path | None, *, test_partition: int = 0
) -> Captions:
    """Load the captions in a directory or below it.

    Test partition 0 is the split "test", and 1 is "val".

    Raises:
      FileNotFoundError: the directory does not have exactly one file of each kind.
      ValueError: the partition is neither 0 nor 1, or see `load_captions`.
    """
    if test_partition not in (0, 1):
        raise ValueError(
            "data.test_partition must be 0 (test images) or 1 (validation images) for "
            f"data.name={CAPTIONS}; got {test_partition}"
        )
    folder = pathlib.Path(data_dir or ".").expanduser()
    found = sorted([*folder.rglob("dataset*.json"), *folder.rglob("dataset*.zip")])
    beside = sorted(found[0].parent.glob("*features.npz")) if found else []
    if len(found) != 1 or len(beside) != 1:
        names = [path.name for path in (*found, *beside)]
        raise FileNotFoundError(
            f"data.name={CAPTIONS} needs one file dataset*.json or dataset*.zip "
            "(images, splits, tokenised captions) in --data_dir and beside it one file "
            f"*features.npz (filename, pooled); found {names} in {folder}"
        )
    split = ("test", "val")[test_partition]
    return load_captions(found[0], beside[0], test_on=split)


def generate_captions(*, num_train: int = 200, num_test: int = 100, seed: int = 0):
    """Generate captions that name the two largest of ten features."""
    rng = np.random.default_rng(seed)
    names = [f"word{i}" for i in range(10)]

    def part(n):
        images = []
        for row in rng.normal(size=(n, 10)).astype(np.float32):
            first, second = np.argsort(-row)[:2]
            tokens = ["a", names[first], "and", "a", names[second]]
            sentences = [{"tokens": tokens}, {"tokens": tokens[1:]}]
            name = f"{len(rows)}"
            rows[name] = row
            images.append({"filename": name, "sentences": sentences})
        return images

    rows: dict[str, np.ndarray] = {}
    train, test = part(num_train // 2), part(num_test // 2)
    return _make("captions (generated)", train, test, rows)


def _make(name: str, train: list[Any], test: list[Any], rows) -> Captions:
    counts = collections.Counter(
        word
        for image in train
        for sentence in image["sentences"]
        for word in sentence["tokens"]
    )
    known = sorted(word for word, count in counts.items() if count >= MIN_COUNT)
    words = (*SPECIAL, *known)
    ids = {word: i for i, word in enumerate(words)}

    def part(images):
        x, y, number = [], [], []
        for i, image in enumerate(images):
            for sentence in image["sentences"]:
                tokens = sentence["tokens"][:MAX_WORDS]
                chosen = [ids.get(word, UNKNOWN) for word in tokens]
                x.append(rows[image["filename"]])
                y.append(chosen + [END] + [PADDING] * (MAX_WORDS - len(chosen)))
                number.append(i)
        return np.stack(x), np.asarray(y, np.int32), np.asarray(number, np.int32)

    references = tuple(
        tuple(" ".join(sentence["tokens"]) for sentence in image["sentences"])
        for image in test
    )
    train_x, train_y, _ = part(train)
    return Captions(name, train_x, train_y, *part(test), words, references)


def _read_images(path: pathlib.Path) -> list[Any]:
    """Read and check the images of the JSON file."""
    images = read_list(path, "images", ("filename", "sentences", "split"))
    for image in images:
        if image["split"] not in SPLITS:
            raise ValueError(
                f"{path}: the split of {image['filename']} must be one of "
                f"{', '.join(SPLITS)}; got {image['split']!r}"
            )
        sentences = image["sentences"]
        if not sentences or not all(sentence.get("tokens") for sentence in sentences):
            raise ValueError(
                f"{path}: {image['filename']} has an empty caption or none"
            )
    return images


def _read_features(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Read the features of each image, by file name."""
    arrays = read_arrays(path, ("filename", "pooled", "pooled_scale"))
    missing = {"filename", "pooled"} - set(arrays)
    if missing:
        raise ValueError(f"{path} must hold filename and pooled; missing: {missing}")
    names, pooled = arrays["filename"], arrays["pooled"]
    scale = np.asarray(arrays.get("pooled_scale", 1.0))
    sizes = ((), pooled.shape[1:])
    if pooled.ndim != 2 or names.shape != pooled.shape[:1] or scale.shape not in sizes:
        raise ValueError(
            f"{path}: filename [N], pooled [N, F] and pooled_scale [] or [F] are "
            f"needed; got {names.shape}, {pooled.shape} and {scale.shape}"
        )
    x = pooled.astype(np.float32) * scale.astype(np.float32)
    if not np.isfinite(x).all():
        raise ValueError(f"{path}: pooled holds NaN or infinity")
    rows = dict(zip(names.tolist(), x, strict=True))
    if len(rows) != len(names):
        raise ValueError(f"{path}: a filename occurs twice")
    return rows
