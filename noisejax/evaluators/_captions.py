"""Captions of test images: decoded by beam search, and scored."""

import contextlib
import functools
import importlib.util
import io
import shutil
from collections.abc import Sequence

import jax
import numpy as np
from jax import numpy as jnp
from jaxtyping import Array, Float, PyTree
from tqdm import tqdm

from noisejax import data, models

CHUNK = 250
"""Images that are decoded at once."""


def decode_captions(
    model: models.CaptionLSTM,
    variables: PyTree[Array],
    images: Float[Array, "images features"],
    *,
    beams: int = 1,
    length: int = 20,
    progress: bool = False,
) -> np.ndarray:
    """Decode the most likely captions without noise, see `models.beam_search`.

    Args:
      model: captioner.
      variables: its variables.
      images: features of the images, [N, F].
      beams: sequences that are kept; 1 decodes greedily.
      length: largest number of words.
      progress: True to show a progress bar on a terminal.

    Returns:
      Word ids [N, length], int; 1 ends a caption.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import evaluators, models
      >>> net, images = models.CaptionLSTM(9, width=4), jnp.ones((3, 5))
      >>> variables = net.init(jax.random.key(0), images, train=False)
      >>> evaluators.decode_captions(net, variables, images, length=6).shape
      (3, 6)
    """

    @jax.jit
    def decode(variables, x):
        state, logits = model.apply(variables, x, method="begin")
        step = functools.partial(model.apply, variables, method="step")
        options = {"beams": beams, "length": length, "end": data.END}
        return models.beam_search(step, state, logits, **options)[0][:, 0]

    chunks = [images[i : i + CHUNK] for i in range(0, len(images), CHUNK)]
    shown = tqdm(chunks, "decode", disable=None if progress else True)
    return np.concatenate([decode(variables, jnp.asarray(x)) for x in shown])


def can_score() -> bool:
    """Return True if pycocoevalcap is installed."""
    return importlib.util.find_spec("pycocoevalcap") is not None


def caption_scores(
    candidates: Sequence[str], references: Sequence[Sequence[str]]
) -> dict[str, float]:
    """Score captions by `pycocoevalcap`, the evaluation tool of COCO.

    The words are those of the texts, split at spaces: the captions of the field are
    tokenised. METEOR is left out where there is no Java.

    Args:
      candidates: a caption for each image.
      references: captions of each image by people.

    Returns:
      bleu_1 to bleu_4, rouge_l, meteor and cider, times 100 as papers print them.

    Raises:
      ImportError: pycocoevalcap is not installed.
      ValueError: the numbers of candidates and references differ.
    """
    if not can_score():
        raise ImportError(
            "scores of captions need pycocoevalcap: pip install 'noisejax[captions]'"
        )
    if len(candidates) != len(references):
        raise ValueError(
            "there must be references for each candidate; got "
            f"{len(candidates)} candidates and {len(references)} lists of references"
        )
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    found = {i: [text] for i, text in enumerate(candidates)}
    wanted = {i: list(texts) for i, texts in enumerate(references)}
    with contextlib.redirect_stdout(io.StringIO()):
        bleu, _ = Bleu(4).compute_score(wanted, found)
    scores = {f"bleu_{n}": 100 * float(b) for n, b in enumerate(bleu, 1)}
    scores["rouge_l"] = 100 * float(Rouge().compute_score(wanted, found)[0])
    scores["cider"] = 100 * float(Cider().compute_score(wanted, found)[0])
    if shutil.which("java"):
        from pycocoevalcap.meteor.meteor import Meteor

        meteor = Meteor()
        try:
            scores["meteor"] = 100 * float(meteor.compute_score(wanted, found)[0])
        finally:  # it leaves its Java process to the garbage collector
            meteor.meteor_p.kill()
            meteor.meteor_p.communicate()
    return scores
