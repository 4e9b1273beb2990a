"""Decodes captions of images by beam search, and scores them."""

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
"""Number of images that are decoded at the same time."""


def decode_captions(
    model: models.CaptionLSTM,
    variables: PyTree[Array],
    images: Float[Array, "images features"],
    *,
    beams: int = 1,
    length: int = 20,
    progress: bool = False,
) -> np.ndarray:
    """Decode the most likely captions without noise, by `models.beam_search`.

    Args:
      model: caption model.
      variables: variables of the model.
      images: features of the images, [N, F].
      beams: beam width; 1 decodes greedily.
      length: largest number of words in a caption.
      progress: True to show a progress bar on a terminal.

    Returns:
      Word ids, [N, length], int. The id 1 ends a caption.

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
    """Score captions with `pycocoevalcap`, the evaluation tool of COCO.

    Captions are split into words at spaces, so they must be tokenised already. METEOR
    needs Java, and is skipped if Java is not installed.

    Args:
      candidates: one caption per image.
      references: captions that people wrote for each image.

    Returns:
      bleu_1 to bleu_4, rouge_l, meteor and cider, multiplied by 100 as in papers.

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
        finally:  # otherwise the Java process runs until garbage collection
            meteor.meteor_p.kill()
            meteor.meteor_p.communicate()
    return scores
