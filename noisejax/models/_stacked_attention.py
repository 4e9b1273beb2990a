"""Answers to questions about images, by attention (Noh et al. 2017, section 5.2)."""

from collections.abc import Callable

import jax
from flax import linen as nn
from jax import numpy as jnp
from jaxtyping import Array, Float, Int

from noisejax import layers, noise
from noisejax.models._network import Activations
from noisejax.models._products import flat_products


class StackedAttention(nn.Module):
    """Two LSTMs read the question; one attention layer looks at the image.

      q = LSTM₂(LSTM₁(W_e words)),   a = softmax_r(w · tanh(W_v v_r + W_q q))
      u = q + W Σ_r a_r v_r,         p(answer) = softmax(W_o ũ + b)

    After Yang et al. 2016, with one attention layer in place of two and a second LSTM,
    as in the paper's baseline. The noise is on u, where the published settings of Yang
    et al. have their dropout; Noh et al. do not print its place (our choice).

    Attributes:
      num_words: number of words of questions; 0 is padding.
      num_answers: number of answers.
      width: number of units of the LSTMs and of the attention.
      hidden_noise: scheme of the noise on u, or None.
      param_dtype: dtype of the LSTMs' parameters and states.
      uses_image: False for a network that sees the question alone, as a control.
      input_noise: scheme of the noise on the image features, or None.
      noise_factor: schedule of a factor on the noise levels, or None.
      dot_general: product of the dense layers; None: Flax's.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import models, noise
      >>> net = models.StackedAttention(20, 5, width=8, hidden_noise=noise.Dropout(0.5))
      >>> grid, words = jnp.ones((2, 49, 6)), jnp.array([[3, 4, 0], [7, 2, 5]])
      >>> key = jax.random.key(0)
      >>> params = net.init(key, grid, words, train=False)["params"]
      >>> logits, activations = net.apply({"params": params}, grid, words, train=False)
      >>> logits.shape, activations["attention"].shape
      ((2, 5), (2, 49))

    Reference:
      Yang et al., "Stacked attention networks for image question answering", CVPR 2016.
    """

    num_words: int
    num_answers: int
    width: int = 512
    hidden_noise: noise.Scheme | None = None
    param_dtype: jax.typing.DTypeLike = jnp.float32
    uses_image: bool = True
    input_noise: noise.Scheme | None = None
    noise_factor: layers.Schedule | None = None
    dot_general: Callable[..., Array] | None = flat_products

    num_hidden_places = 1  # no field: where hidden noise can be

    @property
    def num_noise_sites(self) -> int:
        """Number of samples that a noisy forward pass applies."""
        schemes = (self.hidden_noise, self.input_noise if self.uses_image else None)
        return sum(bool(scheme) for scheme in schemes)

    def _noise(
        self, x: Array, scheme: noise.Scheme | None, name: str, train: bool
    ) -> Array:
        scheme, factor = scheme or noise.Dropout(0.0), self.noise_factor
        level = None if factor is None else lambda step: scheme.level * factor(step)
        layer = layers.Noise(scheme, level=level, name=name)
        return layer(x, deterministic=not train)

    @nn.compact
    def __call__(
        self,
        grid: Float[Array, "batch regions channels"],
        words: Int[Array, "batch length"] | None = None,
        *,
        train: bool,
    ) -> tuple[Float[Array, "batch answers"], Activations]:
        """Answer questions.

        Args:
          grid: image features, [B, R, C].
          words: questions, [B, T], padded behind with 0; None: questions without words.
          train: True to apply noise.

        Returns:
          The logits [B, num_answers], and by name "question" [B, width], "attention"
          [B, R] (not without the image), "hidden_0" (u), "noisy_0" and "output".

        Raises:
          ValueError: the numbers of questions and images differ.
        """
        if words is None:
            words = jnp.zeros((len(grid), 1), jnp.int32)
        if grid.ndim != 3 or words.ndim != 2 or len(grid) != len(words):
            raise ValueError(
                "grids [B, R, C] and questions [B, T] must be as many; got shapes "
                f"{grid.shape} and {words.shape}"
            )

        def dense(width, name):
            return nn.Dense(width, dot_general=self.dot_general, name=name)

        lengths = jnp.maximum((words != 0).sum(axis=1), 1)
        x = nn.Embed(self.num_words, self.width, name="embedding")(words)
        for i in range(2):
            cell = nn.OptimizedLSTMCell(
                self.width, param_dtype=self.param_dtype, name=f"lstm_{i}"
            )
            x = nn.RNN(cell)(x, seq_lengths=lengths)
        question = jnp.take_along_axis(x, (lengths - 1)[:, None, None], axis=1)[:, 0]
        activations = {"question": question}
        hidden = question
        if self.uses_image:
            grid = self._noise(grid, self.input_noise, "input_noise", train)
            seen = dense(self.width, "dense_grid")(grid)
            asked = dense(self.width, "dense_question")(question)[:, None]
            joint = jnp.tanh(seen + asked)
            scores = dense(1, "dense_attention")(joint)[:, :, 0]
            attention = nn.softmax(scores, axis=-1)
            pooled = jnp.einsum("br,brc->bc", attention, grid)
            hidden = question + dense(self.width, "dense_pooled")(pooled)
            activations["attention"] = attention
        noisy = self._noise(hidden, self.hidden_noise, "noise_0", train)
        output = dense(self.num_answers, "dense_output")(noisy)
        activations |= {"hidden_0": hidden, "noisy_0": noisy, "output": output}
        return output, activations
