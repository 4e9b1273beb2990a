"""Transformers with noise at every site that has it: encoders, decoders, and a ViT."""

from flax import linen as nn
from jax import numpy as jnp
from jaxtyping import Array, Bool, Float

from noisejax import layers, noise
from noisejax.models._network import Activations, Network, option


class Transformer(Network):
    """A pre-norm transformer over embedded sequences (Vaswani et al. 2017).

      x ← x + P(R(Att(LN(x)))),   x ← x + P(R(W₂ H(φ(W₁ LN(x)))))

    The last operation is a layer normalisation. A block has six noise sites: A on the
    attention weights inside Att, R (twice), H on the hidden units, P (twice).

    Attributes:
      blocks: number of blocks.
      width: D, number of units of a token.
      heads: number of heads; divides D.
      mlp_width: number of hidden units of a block; 0: 4 D.
      hidden_noise: H, schemes of the noise on each block's hidden units, or ().
      attention_noise: A, scheme of the noise on the weights [B, heads, queries, keys].
      residual_noise: R, scheme of the noise on the output of attention and MLP.
      path_rate: rate of P, drop path, in the last block; rates rise linearly from 0.
      embedding_noise: scheme of the noise on the sum of embedding and position.
      max_length: number of learned positions; 0: the tokens have positions already.

    Other attributes: see `MLP`; a shift is one value per channel or hidden unit.

    Raises:
      ValueError: the heads do not divide the width, a rate is out of range, or the
        number of schemes is not that of the blocks.

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
                "a transformer needs blocks, and heads that divide its width; got "
                f"blocks={self.blocks}, width={self.width}, heads={self.heads}"
            )
        noise.DropPath(self.path_rate)  # checks the rate
        super().__post_init__()

    @property
    def num_hidden_places(self) -> int:
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
        """Rates of drop path, block by block."""
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
          mask: True where a query sees a key, broadcastable to [B, heads, T, T]. See
            `flax.linen.make_causal_mask` and `flax.linen.make_attention_mask` (for
            padding); `flax.linen.combine_masks` joins them.
          train: True to apply noise.

        Returns:
          The output [B, T, D], and by name: "input", "noisy_input"; "embedding", with
          positions, before its noise; for block i the pre-activations "net_i", the
          clean hidden units "hidden_i", the noisy ones "noisy_i" and the block's output
          "block_i"; and "output".

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
        """Att(LN(x)) of block i."""
        scheme = self.attention_noise if train else None
        level = None if scheme is None else self._level(scheme)
        attention = nn.MultiHeadDotProductAttention(
            self.heads,
            kernel_init=self.kernel_init,
            qkv_dot_general=self.dot_general,
            out_dot_general=self.dot_general,
            dropout_rate=0.0 if scheme is None else 0.5,  # asks for a key
            attention_fn=layers.NoisyAttention(scheme, level=level),
            name=f"attention_{i}",
        )
        normed = nn.LayerNorm(name=f"norm_{i}_attention")(x)
        return attention(normed, mask=mask, deterministic=scheme is None)


class ViT(Transformer):
    """A vision transformer (Dosovitskiy et al. 2021) with noise at every site.

    Patches are embedded linearly; positions are learned.

    Attributes:
      num_outputs: number of units of the output, which is linear.
      patch: side of a square patch, in pixels; divides the image's sides.
      pooling: source of the output: "token" for a class token, or "mean" over patches.
      input_noise: scheme of the noise on the image, or None.

    Other attributes: see `Transformer`; `max_length` follows from the image.

    Raises:
      ValueError: `pooling` is unknown, or see `Transformer`.

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
        """Run the network on images, channels last.

        Returns:
          The logits [B, num_outputs], and by name the activations of `Transformer` and
          "pooled", the input of the output layer.

        Raises:
          ValueError: the images are not [B, H, W, C], or patches do not divide them.
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
        """Number of positions: those that exist, or those that the image needs."""
        if self.has_variable("params", "positions"):
            return self.get_variable("params", "positions").shape[0]
        return tokens


def _patches(
    x: Float[Array, "batch height width channels"], side: int
) -> Float[Array, "batch patches pixels"]:
    """Cut images into square patches, row by row."""
    batch, height, width, channels = x.shape
    x = x.reshape(batch, height // side, side, width // side, side, channels)
    return x.swapaxes(2, 3).reshape(batch, -1, side * side * channels)
