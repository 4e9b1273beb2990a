"""The ViT of `benchmarks.vit` with Flax's own noise layers, and in torch."""

import numpy as np
from flax import linen as nn
from jax import numpy as jnp


class FlaxViT(nn.Module):
    """`models.ViT` with Flax's own dropout, in modules of the same names."""

    blocks: int
    width: int
    heads: int
    rate: float
    path_rates: tuple[float, ...]

    @nn.compact
    def __call__(self, x, *, train):
        """Return (logits, {}), as the library's networks do."""
        dense = nn.initializers.xavier_uniform()

        def drop(x, rate=self.rate, shared=()):
            return nn.Dropout(rate, broadcast_dims=shared)(x, deterministic=not train)

        batch, side, _, channels = x.shape
        x = x.reshape(batch, side // 4, 4, side // 4, 4, channels).swapaxes(2, 3)
        x = x.reshape(batch, -1, 16 * channels)
        x = nn.Dense(self.width, kernel_init=dense, name="embedding")(x)
        token = self.param("token", nn.initializers.zeros, (1, 1, self.width))
        x = jnp.concatenate([jnp.broadcast_to(token, (batch, 1, self.width)), x], 1)
        init = nn.initializers.normal(0.02)
        x = x + self.param("positions", init, (x.shape[1], self.width))
        x = drop(x)
        for i, path in enumerate(self.path_rates):
            attention = nn.MultiHeadDotProductAttention(
                self.heads,
                dropout_rate=self.rate,
                broadcast_dropout=False,
                name=f"attention_{i}",
            )
            normed = nn.LayerNorm(name=f"norm_{i}_attention")(x)
            x = x + drop(drop(attention(normed, deterministic=not train)), path, (1, 2))
            normed = nn.LayerNorm(name=f"norm_{i}_mlp")(x)
            hidden = drop(
                nn.gelu(nn.Dense(4 * self.width, name=f"dense_{i}_0")(normed))
            )
            hidden = nn.Dense(self.width, name=f"dense_{i}_1")(hidden)
            x = x + drop(drop(hidden), path, (1, 2))
        x = nn.LayerNorm(name="norm_output")(x)
        return nn.Dense(10, name="dense_output")(x[:, 0]), {}


def torch_vit(torch, params, heads, rate, path_rates):
    """Return torch's parameters by noisejax's names, and a function of [B, T, P].

    The function takes patches, and draws its noise at the same sites.
    """
    functional = torch.nn.functional

    def tensors(tree):
        if hasattr(tree, "items"):
            return {name: tensors(leaf) for name, leaf in tree.items()}
        return torch.nn.Parameter(torch.tensor(np.asarray(tree)))

    p = tensors(params)

    def drop(x):
        return functional.dropout(x, rate) if rate else x

    def drop_path(x, rate):
        if not rate:
            return x
        kept = torch.rand(x.shape[0], 1, 1, device=x.device) >= rate
        return x * kept / (1 - rate)

    def norm(x, name):
        return functional.layer_norm(
            x, x.shape[-1:], p[name]["scale"], p[name]["bias"], 1e-6
        )

    def dense(x, name):
        return x @ p[name]["kernel"] + p[name]["bias"]

    def attend(x, name):
        width = x.shape[-1]

        def project(part):
            kernel = p[name][part]["kernel"].reshape(width, width)
            y = x @ kernel + p[name][part]["bias"].reshape(width)
            return y.reshape(*x.shape[:2], heads, -1).transpose(1, 2)

        q, k, v = (project(part) for part in ("query", "key", "value"))
        y = functional.scaled_dot_product_attention(q, k, v, dropout_p=rate)
        y = y.transpose(1, 2).reshape(x.shape)
        kernel = p[name]["out"]["kernel"].reshape(width, width)
        return y @ kernel + p[name]["out"]["bias"]

    def apply(patches):
        x = dense(patches, "embedding")
        token = p["token"].expand(len(x), 1, x.shape[-1])
        x = drop(torch.cat([token, x], 1) + p["positions"])
        for i, path in enumerate(path_rates):
            branch = attend(norm(x, f"norm_{i}_attention"), f"attention_{i}")
            x = x + drop_path(drop(branch), path)
            hidden = dense(norm(x, f"norm_{i}_mlp"), f"dense_{i}_0")
            hidden = drop(functional.gelu(hidden, approximate="tanh"))
            x = x + drop_path(drop(dense(hidden, f"dense_{i}_1")), path)
        return dense(norm(x, "norm_output")[:, 0], "dense_output")

    return p, apply
