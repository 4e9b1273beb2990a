"""Attention network for questions about images (Noh et al. 2017, section 5.2)."""

from collections.abc import Callable

import jax
from flax import linen as nn
from jax import numpy as jnp
from jaxtyping import Array, Float, Int

from noisejax import layers, noise
from noisejax.models._network import Activations, noise_layer
from noisejax.models._products import flat_products


class StackedAttention(nn.Module):
    """Two stacked LSTMs over the question, and one attention layer over the image.

      q = LSTM₂(LSTM₁(W_e words)),   a = softmax_r(w · tanh(W_v v_r + W_q q))
      u = q + W Σ_r a_r v_r,         p(answer) = softmax(W_o ũ + b)

    The network is that of Yang et al. 2016 with one attention layer instead of two and
    with a second LSTM, as in the baseline of Noh et al. ũ is u after the noise. Noh et
    al. do not print the position of the noise. We use the position of dropout in the
    published code of Yang et al.

    Attributes:
      num_words: number of word ids, including the padding 0.
      num_answers: number of answers.
      width: number of units of the LSTMs and of the attention layer.
      hidden_noise: scheme of the noise on u, or None.
      param_dtype: dtype of the LSTMs' parameters and states.
      uses_image: False for a control that ignores the image.
      input_noise: scheme of the noise on the image features, or None.
      noise_factor: schedule of a factor that multiplies the noise levels, or None.
      dot_general: product of the dense layers, or None for `lax.dot_general`.

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

    num_hidden_sites = 1  # class attribute, not a field

    @property
    def num_noise_sites(self) -> int:
        """Number of samples that a noisy forward pass applies."""
        schemes = (self.hidden_noise, self.input_noise if self.uses_image else None)
        return sum(bool(scheme) for scheme in schemes)

    def _noise(
        self, x: Array, scheme: noise.Scheme | None, name: str, train: bool
    ) -> Array:
        layer = noise_layer(scheme, self.noise_factor, name=name)
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
          words: questions, [B, T], with padding 0 at the end. None stands for empty
            questions.
          train: True to apply noise.

        Returns:
          The logits, [B, num_answers], and a dictionary of activations: "question" (q),
          [B, width]; "attention" (a), [B, R], if the image is used; "hidden_0" (u) and
          "noisy_0" (ũ), [B, width]; and the logits "output".

        Raises:
          ValueError: the numbers of images and questions differ, or a rank is wrong.
        """
        if words is None:
            words = jnp.zeros((len(grid), 1), jnp.int32)
        if grid.ndim != 3 or words.ndim != 2 or len(grid) != len(words):
            raise ValueError(
                "grids [B, R, C] and questions [B, T] must have the same B; got shapes "
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
            image_features = dense(self.width, "dense_grid")(grid)
            question_features = dense(self.width, "dense_question")(question)[:, None]
            joint = jnp.tanh(image_features + question_features)
            scores = dense(1, "dense_attention")(joint)[:, :, 0]
            attention = nn.softmax(scores, axis=-1)
            pooled = jnp.einsum("br,brc->bc", attention, grid)
            hidden = question + dense(self.width, "dense_pooled")(pooled)
            activations["attention"] = attention
        noisy = self._noise(hidden, self.hidden_noise, "noise_0", train)
        output = dense(self.num_answers, "dense_output")(noisy)
        activations |= {"hidden_0": hidden, "noisy_0": noisy, "output": output}
        return output, activations
