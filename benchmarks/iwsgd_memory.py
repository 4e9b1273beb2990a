"""IWSGD in little memory: does `map` hold the temporaries of one sample only?

The compiled gradient of an MLP 784-1024-1024-10 at batch 128, and of a convolutional
network (an eighth of Ba et al.'s) at batch 16; dropout 0.2 on the input and
0.5 on the hidden layers. Temporary bytes are from XLA's memory analysis of the program.
"""

from typing import Any

import jax
from jax import numpy as jnp

from benchmarks._bench import Target, main, measure
from noisejax import layers, models, noise, objectives

ONE = "one sample"
ALLOWED = "one sample, and the bytes of one gradient"


def run(*, repeats: int, smoke: bool) -> list[dict[str, Any]]:
    """A dense network, then a convolutional one."""
    width, batch, images, scale = (
        (32, 8, 4, 1 / 32) if smoke else (1024, 128, 16, 1 / 8)
    )
    hidden = noise.Dropout(0.5)
    mlp = models.MLP(
        (width, width),
        10,
        input_noise=noise.Dropout(0.2),
        hidden_noise=(hidden, hidden),
    )
    cnn = models.ConvNet(
        models.BA_CNN.scaled(scale),
        10,
        input_noise=noise.Dropout(0.2),
        hidden_noise=(hidden,) * 4,
    )
    key = jax.random.key(0)
    return [
        *_compare(
            f"gradient, MLP 784-{width}-{width}-10, batch {batch}",
            mlp,
            jax.random.uniform(key, (batch, 784)),
            repeats,
        ),
        *_compare(
            f"gradient, Ba's CNN, {scale:.2g} of its width, batch {images}",
            cnn,
            jax.random.uniform(key, (images, 32, 32, 3)),
            repeats,
        ),
    ]


def _compare(question: str, model, x, repeats: int) -> list[dict[str, Any]]:
    key, y = jax.random.key(1), jnp.arange(len(x)) % 10
    params = jax.jit(lambda k: model.init(k, x, train=False))(key)["params"]
    apply = layers.functional(model)

    def log_prob(params, key, x, y):
        return objectives.label_log_prob(apply(params, key, x, train=True)[0], y)

    def gradient(strategy, num_samples):
        loss_fn = objectives.iwsgd(log_prob, num_samples=num_samples, strategy=strategy)
        jitted = jax.jit(jax.grad(loss_fn, has_aux=True))
        return jitted.lower(params, key, x, y).compile()

    programs = {
        ONE: gradient("fold", 1),
        "map, S = 8": gradient("map", 8),
        "map, S = 32": gradient("map", 32),
        "fold, S = 8": gradient("fold", 8),
        "vmap, S = 8": gradient("vmap", 8),
    }
    facts = {
        name: {"temporary_bytes": program.memory_analysis().temp_size_in_bytes}
        for name, program in programs.items()
    }
    size = sum(leaf.nbytes for leaf in jax.tree.leaves(params))
    facts[ALLOWED] = {"temporary_bytes": facts[ONE]["temporary_bytes"] + size}
    programs[ALLOWED] = programs[ONE]
    return measure(
        question,
        {
            name: lambda program=program: program(params, key, x, y)
            for name, program in programs.items()
        },
        reference=ONE,
        repeats=repeats,
        targets=(
            Target("map, S = 32", "map, S = 8", 1.1, "temporary_bytes"),
            Target("map, S = 32", ALLOWED, 1.5, "temporary_bytes"),
        ),
        facts=facts,
    )


if __name__ == "__main__":
    main(run)
