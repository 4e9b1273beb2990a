"""LSTM decoder for image captions (Noh et al. 2017, section 5.3)."""

from collections.abc import Callable
from typing import Any

import jax
from flax import linen as nn
from jax import numpy as jnp
from jaxtyping import Array, Float, Int

from noisejax import layers, noise
from noisejax.models._network import Activations, noise_layer
from noisejax.models._products import flat_products

Carry = tuple[Float[Array, "batch width"], Float[Array, "batch width"]]
"""Memory and hidden state of an LSTM."""


class _FactorCell(nn.RNNCellBase):
    """An LSTM cell that multiplies its hidden state by a fixed factor in each step."""

    cell: nn.OptimizedLSTMCell

    def __call__(self, carry, x):
        (memory, hidden), factor = carry
        carry, hidden = self.cell((memory, hidden * factor), x)
        return (carry, factor), hidden

    @property
    def num_feature_axes(self) -> int:
        return 1


class CaptionLSTM(nn.Module):
    """An LSTM whose first input is the image (Vinyals et al. 2015).

      h_0 = LSTM(W_I v),   h_t = LSTM(W_e y_t),   p(y_{t+1} | y_≤t, v) = softmax(W h̃_t)

    h̃ is the hidden state after the noise, which is the position of dropout in Noh et
    al. The image is the first input, so there is no start word (our choice).

    With `recurrent_noise`, each step uses the hidden state h_{t-1} ⊙ r. The factor r is
    sampled once per caption, as in Gal and Ghahramani 2016. Noh et al. do not use it.

    Attributes:
      num_words: number of words, including the end of a caption.
      width: number of units of the LSTM and of the word and image embeddings.
      hidden_noise: scheme of the noise on the hidden states, or None.
      param_dtype: dtype of the LSTM's parameters and state.
      input_noise: scheme of the noise on the image feature, or None.
      recurrent_noise: scheme of the noise on the recurrent state, or None. For additive
        noise r is 1 plus the noise.
      noise_factor: schedule of a factor that multiplies the noise levels, or None.
      dot_general: product of the dense layers, or None for `lax.dot_general`.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import models, noise, objectives
      >>> net = models.CaptionLSTM(9, width=8, hidden_noise=noise.Dropout(0.5))
      >>> image, words = jnp.ones((2, 5)), jnp.array([[3, 4, 1], [2, 1, 0]])
      >>> key = jax.random.key(0)
      >>> params = net.init(key, image, words, train=False)["params"]
      >>> logits, _ = net.apply(
      ...     {"params": params}, image, words, train=True, rngs={"dropout": key}
      ... )
      >>> objectives.sequence_log_prob(logits, words, words > 0).shape
      (2,)

    Reference:
      Vinyals et al., "Show and Tell: a neural image caption generator", CVPR 2015.
      Gal and Ghahramani, "A theoretically grounded application of dropout in recurrent
      neural networks", NIPS 2016.
    """

    num_words: int
    width: int = 256
    hidden_noise: noise.Scheme | None = None
    param_dtype: jax.typing.DTypeLike = jnp.float32
    input_noise: noise.Scheme | None = None
    recurrent_noise: noise.Scheme | None = None
    noise_factor: layers.Schedule | None = None
    dot_general: Callable[..., Array] | None = flat_products

    num_hidden_sites = 1  # class attribute, not a field

    def setup(self) -> None:
        """Create the layers."""
        products = {"dot_general": self.dot_general}
        self.embed_image = nn.Dense(self.width, **products)
        self.embed_word = nn.Embed(self.num_words, self.width)
        self.cell = nn.OptimizedLSTMCell(self.width, param_dtype=self.param_dtype)
        noisy_state = self.recurrent_noise is not None
        self.rnn = nn.RNN(_FactorCell(self.cell) if noisy_state else self.cell)
        self.noise = noise_layer(self.hidden_noise, self.noise_factor)
        self.noise_on_input = noise_layer(self.input_noise, self.noise_factor)
        self.noise_on_state = noise_layer(self.recurrent_noise, self.noise_factor)
        self.dense_output = nn.Dense(self.num_words, **products)

    @property
    def num_noise_sites(self) -> int:
        """Number of samples that a noisy forward pass applies."""
        schemes = (self.hidden_noise, self.input_noise, self.recurrent_noise)
        return sum(bool(scheme) for scheme in schemes)

    def __call__(
        self,
        image: Float[Array, "batch features"],
        words: Int[Array, "batch length"] | None = None,
        *,
        train: bool,
    ) -> tuple[Float[Array, "batch length words"], Activations]:
        """Predict each word from the image and the previous words.

        Args:
          image: image features, [B, F].
          words: captions, [B, T], each with the end of the caption as its last word. If
            None, only the first word is predicted.
          train: True to apply noise.

        Returns:
          The logits, [B, T, num_words], and a dictionary of activations: the hidden
          states "hidden_0" and noisy hidden states "noisy_0", [B, T, width], and the
          logits "output".

        Raises:
          ValueError: the numbers of images and captions differ, or a rank is wrong.
        """
        if words is None:
            words = jnp.zeros((len(image), 1), jnp.int32)
        if image.ndim != 2 or words.ndim != 2 or len(image) != len(words):
            raise ValueError(
                "images [B, F] and captions [B, T] must have the same B; got shapes "
                f"{image.shape} and {words.shape}"
            )
        image = self.noise_on_input(image, deterministic=not train)
        first = self.embed_image(image)[:, None]
        inputs = jnp.concatenate([first, self.embed_word(words[:, :-1])], axis=1)
        start = jnp.zeros((len(image), self.width), inputs.dtype)
        carry: Any = (start, start)
        if self.recurrent_noise is not None:
            ones = jnp.ones_like(start)
            carry = carry, self.noise_on_state(ones, deterministic=not train)
        hidden = self.rnn(inputs, initial_carry=carry)
        noisy = self.noise(hidden, deterministic=not train)
        logits = self.dense_output(noisy)
        return logits, {"hidden_0": hidden, "noisy_0": noisy, "output": logits}

    def begin(
        self, image: Float[Array, "batch features"]
    ) -> tuple[Carry, Float[Array, "batch words"]]:
        """Return the state after the image and the logits of the first word."""
        x = self.embed_image(image)
        carry = tuple(jnp.zeros((len(image), self.width), x.dtype) for _ in range(2))
        carry, hidden = self.cell(carry, x)
        return carry, self.dense_output(hidden)

    def step(
        self, carry: Carry, word: Int[Array, " batch"]
    ) -> tuple[Carry, Float[Array, "batch words"]]:
        """Return the state after a word and the logits of the next word."""
        carry, hidden = self.cell(carry, self.embed_word(word))
        return carry, self.dense_output(hidden)
