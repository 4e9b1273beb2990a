"""Transformer encoders and decoders with noise, and vision transformers."""

from flax import linen as nn
from jax import numpy as jnp
from jaxtyping import Array, Bool, Float

from noisejax import layers, noise
from noisejax.models._network import Activations, Network, option, scaled_level


class Transformer(Network):
    """A pre-norm transformer over embedded sequences (Vaswani et al. 2017).

      x ← x + P(R(Att(LN(x)))),   x ← x + P(R(W₂ H(φ(W₁ LN(x)))))

    A final layer normalisation follows the blocks. A acts on the attention weights
    within Att, and H on the hidden units. R and P act on each residual branch.

    Attributes:
      blocks: number of blocks.
      width: number D of units per token.
      heads: number of attention heads, a divisor of D.
      mlp_width: number of hidden units per block, or 0 for 4 D.
      hidden_noise: schemes H of the noise on the hidden units, one per block, or () for
        no noise.
      attention_noise: scheme A of the noise on the attention weights, [B, heads,
        queries, keys], or None.
      residual_noise: scheme R of the noise on the outputs of attention and MLP, or
        None.
      path_rate: rate of drop path P in the last block. Rates increase linearly from 0
        in the first block.
      embedding_noise: scheme of the noise on the embeddings with positions, or None.
      max_length: number of learned positions, or 0 for inputs that include positions.

    For the other attributes see `MLP`. There is one shift per input channel or hidden
    unit.

    Raises:
      ValueError: the heads do not divide the width, a rate is out of range, or the
        number of schemes is not the number of blocks.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import models, noise
      >>> drop = noise.RandomDropout(0.2)  # one level per sequence
      >>> net = models.Transformer(2, 8, 2, attention_noise=drop, path_rate=0.1)
      >>> x, key = jnp.ones((3, 5, 8)), jax.random.key(0)
      >>> variables = net.init(key, x, train=False)
      >>> mask = nn.make_causal_mask(x[..., 0])
      >>> y, activations = net.apply(
      ...     variables, x, mask, train=True, rngs={"dropout": key}
      ... )
      >>> y.shape, activations["hidden_1"].shape
      ((3, 5, 8), (3, 5, 32))
    """

    blocks: int
    width: int
    heads: int
    mlp_width: int = option(default=0)
    attention_noise: noise.Scheme | None = option(default=None)
    residual_noise: noise.Scheme | None = option(default=None)
    path_rate: float = option(default=0.0)
    embedding_noise: noise.Scheme | None = option(default=None)
    max_length: int = option(default=0)
    kernel_init: nn.initializers.Initializer = option(
        default=nn.initializers.xavier_uniform()
    )

    def __post_init__(self) -> None:
        if self.blocks < 1 or self.heads < 1 or self.width % self.heads:
            raise ValueError(
                "a transformer needs a block, and heads that divide its width; got "
                f"blocks={self.blocks}, width={self.width}, heads={self.heads}"
            )
        noise.DropPath(self.path_rate)  # checks the rate
        super().__post_init__()

    @property
    def num_hidden_sites(self) -> int:
        """Number of schemes in `hidden_noise`: one per block."""
        return self.blocks

    @property
    def num_noise_sites(self) -> int:
        """Number of samples that a noisy forward pass applies."""
        sites = super().num_noise_sites + (self.embedding_noise is not None)
        sites += self.blocks * (self.attention_noise is not None)
        sites += 2 * self.blocks * (self.residual_noise is not None)
        return sites + 2 * sum(rate > 0 for rate in self.path_rates)

    def _site(self) -> str:
        return "block"

    @property
    def path_rates(self) -> list[float]:
        """Rate of drop path in each block."""
        last = max(self.blocks - 1, 1)
        return [
            self.path_rate * (i + (self.blocks == 1)) / last for i in range(self.blocks)
        ]

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "batch length width"],
        mask: Bool[Array, "..."] | None = None,
        *,
        train: bool,
    ) -> tuple[Float[Array, "batch length width"], Activations]:
        """Run the network.

        Args:
          x: embedded tokens, [B, T, D].
          mask: attention mask, broadcastable to [B, heads, T, T], which is True if a
            query may attend to a key. `flax.linen.make_causal_mask` and
            `flax.linen.make_attention_mask` (for padding) create such masks, and
            `flax.linen.combine_masks` combines them.
          train: True to apply noise.

        Returns:
          The output, [B, T, D], and a dictionary of activations: "input" and
          "noisy_input"; "embedding", the tokens with positions before the noise; for
          block i the pre-activations "net_i", the hidden units "hidden_i", the noisy
          hidden units "noisy_i" and the block output "block_i"; and "output".

        Raises:
          ValueError: the sequence is longer than `max_length`.
        """
        x, activations = self._noisy_input(x, train)
        output, inner = self._run(x, mask, train, self.max_length)
        return output, activations | inner | {"output": output}

    def _run(
        self, x: Array, mask: Array | None, train: bool, positions: int
    ) -> tuple[Array, Activations]:
        """Add positions and run the blocks."""
        if positions:
            if x.shape[1] > positions:
                raise ValueError(
                    f"the sequence has {x.shape[1]} tokens, more than the {positions} "
                    "learned positions; shorten it, or train with a larger max_length"
                )
            init = nn.initializers.normal(0.02)
            table = self.param("positions", init, (positions, self.width))
            x = x + table[None, : x.shape[1]]
        activations = {"embedding": x}
        x = self._noise(x, self.embedding_noise, "embedding_noise", train)
        for i, rate in enumerate(self.path_rates):
            path = noise.DropPath(rate) if rate else None

            def add(branch, kind, x=x, i=i, path=path):
                branch = self._noise(
                    branch, self.residual_noise, f"{kind}_noise_{i}", train
                )
                return self._noise(branch, path, f"{kind}_path_{i}", train)

            x = x + add(self._attend(x, mask, i, train), "attention")
            normed = nn.LayerNorm(name=f"norm_{i}_mlp")(x)
            hidden_width = self.mlp_width or 4 * self.width
            net = self._dense(hidden_width, f"dense_{i}_0")(normed)
            hidden = self.activation(net)
            noisy = self._noisy(hidden, i, train)
            x = x + add(self._dense(self.width, f"dense_{i}_1")(noisy), "mlp")
            activations |= {f"net_{i}": net, f"hidden_{i}": hidden}
            activations |= {f"noisy_{i}": noisy, f"block_{i}": x}
        return nn.LayerNorm(name="norm_output")(x), activations

    def _attend(self, x: Array, mask: Array | None, i: int, train: bool) -> Array:
        """Compute Att(LN(x)) of block i."""
        scheme = self.attention_noise if train else None
        level = scaled_level(scheme, self.noise_factor)
        attention = nn.MultiHeadDotProductAttention(
            self.heads,
            kernel_init=self.kernel_init,
            qkv_dot_general=self.dot_general,
            out_dot_general=self.dot_general,
            dropout_rate=0.0 if scheme is None else 0.5,  # above 0, Flax passes a key
            attention_fn=layers.NoisyAttention(scheme, level=level),
            name=f"attention_{i}",
        )
        normed = nn.LayerNorm(name=f"norm_{i}_attention")(x)
        return attention(normed, mask=mask, deterministic=scheme is None)


class ViT(Transformer):
    """A vision transformer (Dosovitskiy et al. 2021) with the noise of `Transformer`.

    The patch embedding is linear, and positions are learned.

    Attributes:
      num_outputs: number of units of the linear output layer.
      patch: side of the square patches in pixels, a divisor of the image sides.
      pooling: input of the output layer: "token" for a class token, or "mean" for the
        mean over patches.
      input_noise: scheme of the noise on the image, or None.

    For the other attributes see `Transformer`. The image determines the number of
    positions, and `max_length` is ignored.

    Raises:
      ValueError: `pooling` is unknown, `patch` is below 1, or see `Transformer`.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import models, noise
      >>> drop = noise.Dropout(0.1)
      >>> net = models.ViT(2, 16, 2, 10, hidden_noise=(drop, drop), path_rate=0.1)
      >>> x, key = jnp.ones((3, 8, 8, 1)), jax.random.key(0)
      >>> variables = net.init(key, x, train=False)
      >>> logits, _ = net.apply(variables, x, train=True, rngs={"dropout": key})
      >>> logits.shape
      (3, 10)
    """

    num_outputs: int
    patch: int = option(default=4)
    pooling: str = option(default="token")

    def __post_init__(self) -> None:
        if self.pooling not in ("token", "mean") or self.patch < 1:
            raise ValueError(
                "pooling must be 'token' or 'mean', and patch at least 1 pixel; got "
                f"{self.pooling!r} and {self.patch}"
            )
        super().__post_init__()

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch height width channels"], *, train: bool
    ) -> tuple[Float[Array, "batch outputs"], Activations]:
        """Run the network on images with channels last.

        Returns:
          The output, [B, num_outputs], and a dictionary of activations: those of
          `Transformer`, and "pooled", the input of the output layer.

        Raises:
          ValueError: the images are not [B, H, W, C], or `patch` does not divide their
            sides.
        """
        if x.ndim != 4 or x.shape[1] % self.patch or x.shape[2] % self.patch:
            raise ValueError(
                "a ViT needs images [B, H, W, C] whose sides are multiples of "
                f"patch={self.patch}; got shape {x.shape}"
            )
        x, activations = self._noisy_input(x, train)
        x = self._dense(self.width, "embedding")(_patches(x, self.patch))
        if self.pooling == "token":
            token = self.param("token", nn.initializers.zeros, (1, 1, self.width))
            token = jnp.broadcast_to(token, (len(x), 1, self.width))
            x = jnp.concatenate([token, x], axis=1)
        x, inner = self._run(x, None, train, self._positions(x.shape[1]))
        pooled = x[:, 0] if self.pooling == "token" else jnp.mean(x, axis=1)
        output = self._dense(self.num_outputs, "dense_output")(pooled)
        return output, activations | inner | {"pooled": pooled, "output": output}

    def _positions(self, tokens: int) -> int:
        """Return the number of stored positions, or of tokens at initialisation."""
        if self.has_variable("params", "positions"):
            return self.get_variable("params", "positions").shape[0]
        return tokens


def _patches(
    x: Float[Array, "batch height width channels"], side: int
) -> Float[Array, "batch patches pixels"]:
    """Split images into square patches, in row-major order."""
    batch, height, width, channels = x.shape
    x = x.reshape(batch, height // side, side, width // side, side, channels)
    return x.swapaxes(2, 3).reshape(batch, -1, side * side * channels)
