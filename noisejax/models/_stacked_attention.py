"""Answers to questions about images, by attention (Noh et al. 2017, section 5.2)."""

import jax
from flax import linen as nn
from jax import numpy as jnp
from jaxtyping import Array, Float, Int

from noisejax import layers, noise
from noisejax.models._network import Activations


class StackedAttention(nn.Module):
    """Two LSTMs read the question; one attention layer looks at the image.

      q = LSTM₂(LSTM₁(W_e words)),   a = softmax_r(w · tanh(W_v v_r + W_q q))
      u = q + W Σ_r a_r v_r,         p(answer) = softmax(W_o ũ + b)

    After Yang et al. 2016, with one attention layer in place of two and a second LSTM,
    as in the paper's baseline. The noise is on the words' embeddings, on tanh(...) and
    on u; which of them has dropout is not printed in the paper (ours).

    Attributes:
      num_words: number of words of questions; 0 is padding.
      num_answers: number of answers.
      width: number of units of the LSTMs and of the attention.
      scheme: scheme of the noise at the three sites, or None.
      param_dtype: dtype of the LSTMs' parameters and states.
      uses_image: False for a network that sees the question alone, as a control.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import models, noise
      >>> net = models.StackedAttention(20, 5, width=8, scheme=noise.Dropout(0.5))
      >>> words, grid = jnp.array([[3, 4, 0], [7, 2, 5]]), jnp.ones((2, 49, 6))
      >>> key = jax.random.key(0)
      >>> params = net.init(key, words, grid, train=False)["params"]
      >>> logits, activations = net.apply({"params": params}, words, grid, train=False)
      >>> logits.shape, activations["attention"].shape
      ((2, 5), (2, 49))

    Reference:
      Yang et al., "Stacked attention networks for image question answering", CVPR 2016.
    """

    num_words: int
    num_answers: int
    width: int = 512
    scheme: noise.Scheme | None = None
    uses_image: bool = True
    param_dtype: jax.typing.DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self,
        words: Int[Array, "batch length"],
        grid: Float[Array, "batch regions channels"],
        *,
        train: bool,
    ) -> tuple[Float[Array, "batch answers"], Activations]:
        """Answer questions.

        Args:
          words: questions, [B, T], padded behind with 0.
          grid: image features, [B, R, C].
          train: True to apply noise.

        Returns:
          The logits [B, num_answers], and by name "question" [B, width], "attention"
          [B, R] (not without the image), "hidden_0" (u), "noisy_0" and "output".

        Raises:
          ValueError: the numbers of questions and images differ.
        """
        if grid.ndim != 3 or words.ndim != 2 or len(grid) != len(words):
            raise ValueError(
                "questions [B, T] and grids [B, R, C] must be as many; got shapes "
                f"{words.shape} and {grid.shape}"
            )

        def noisy(x, name):
            scheme = self.scheme or noise.Dropout(0.0)
            return layers.Noise(scheme, name=name)(x, deterministic=not train)

        lengths = jnp.maximum((words != 0).sum(axis=1), 1)
        x = nn.Embed(self.num_words, self.width, name="embedding")(words)
        x = noisy(x, "noise_words")
        for i in range(2):
            cell = nn.OptimizedLSTMCell(
                self.width, param_dtype=self.param_dtype, name=f"lstm_{i}"
            )
            x = nn.RNN(cell)(x, seq_lengths=lengths)
        question = jnp.take_along_axis(x, (lengths - 1)[:, None, None], axis=1)[:, 0]
        activations = {"question": question}
        hidden = question
        if self.uses_image:
            seen = nn.Dense(self.width, name="dense_grid")(grid)
            asked = nn.Dense(self.width, name="dense_question")(question)[:, None]
            joint = noisy(jnp.tanh(seen + asked), "noise_attention")
            scores = nn.Dense(1, name="dense_attention")(joint)[:, :, 0]
            attention = nn.softmax(scores, axis=-1)
            pooled = jnp.einsum("br,brc->bc", attention, grid)
            hidden = question + nn.Dense(self.width, name="dense_pooled")(pooled)
            activations["attention"] = attention
        noisy_hidden = noisy(hidden, "noise_0")
        output = nn.Dense(self.num_answers, name="dense_output")(noisy_hidden)
        activations |= {"hidden_0": hidden, "noisy_0": noisy_hidden, "output": output}
        return output, activations
