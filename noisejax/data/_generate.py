"""Generated data with the shapes of real data sets, for trying out programs."""

import numpy as np

from noisejax.data._captions import CAPTIONS, Captions, generate_captions
from noisejax.data._dataset import Dataset
from noisejax.data._questions import QUESTIONS, Questions, generate_questions
from noisejax.data._soft_targets import (
    NUM_FEATURES,
    NUM_OUTCOMES,
    NUM_TISSUES,
    SoftTargets,
    generate_splicing,
)

GENERATED_SHAPES = {
    "digits": ((8, 8, 1), 10),
    "mnist": ((28, 28, 1), 10),
    "fashion_mnist": ((28, 28, 1), 10),
    "cifar10": ((32, 32, 3), 10),
    "cifar100": ((32, 32, 3), 100),
    "svhn_cropped": ((32, 32, 3), 10),
    "svhn_cropped_extra": ((32, 32, 3), 10),
    "two_stream": ((2, 101), 101),
    CAPTIONS: ((10,), 2540),
    QUESTIONS: ((49, 128), (13746, 1001)),
    "splicing_stand_in": ((NUM_FEATURES,), (NUM_TISSUES, NUM_OUTCOMES)),
}
"""Shape of an example and number of classes, by name.

The number of classes of soft targets is (tissues, outcomes), and of questions (words,
answers).
"""


def generate(
    name: str, *, num_train: int = 200, num_test: int = 100, seed: int = 0
) -> Dataset | SoftTargets | Captions | Questions:
    """Generate data with the shapes of a data set.

    Images are uniform noise around one random image per class.

    Args:
      name: name of the data set, one of `GENERATED_SHAPES`.
      num_train: number of training examples. For soft targets, number of all examples.
      num_test: number of test examples.
      seed: seed of the generator.

    Returns:
      The data set, with the name "NAME (generated)". Pixels are uint8.

    Raises:
      ValueError: the name is unknown.

    Example:
      >>> from noisejax import data
      >>> made = data.generate("cifar10")
      >>> made.name, made.train_x.shape, made.num_classes
      ('cifar10 (generated)', (200, 32, 32, 3), 10)
    """
    if name not in GENERATED_SHAPES:
        raise ValueError(
            f"data are generated in the shape of {', '.join(GENERATED_SHAPES)}; got "
            f"{name!r}"
        )
    if name == "splicing_stand_in":
        return generate_splicing(test_partition=0, num_exons=num_train, seed=seed)
    if name == CAPTIONS:
        return generate_captions(num_train=num_train, num_test=num_test, seed=seed)
    if name == QUESTIONS:
        return generate_questions(num_train=num_train, num_test=num_test, seed=seed)
    shape, num_classes = GENERATED_SHAPES[name]
    rng = np.random.default_rng(seed)
    centres = rng.uniform(0, 255, (num_classes, *shape))

    def part(n):
        y = (np.arange(n) % num_classes).astype(np.int32)
        x = 0.5 * centres[y] + 0.5 * rng.uniform(0, 255, (n, *shape))
        return x.astype(np.uint8), y

    (train_x, train_y), (test_x, test_y) = part(num_train), part(num_test)
    halves = (num_train // 2, num_train - num_train // 2)
    return Dataset(
        f"{name} (generated)",
        train_x,
        train_y,
        test_x,
        test_y,
        num_classes,
        halves if name.endswith("_extra") else (num_train,),
    )
