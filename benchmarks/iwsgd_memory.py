"""Memory of IWSGD: temporary bytes of `map` against those of one sample.

The compiled gradients of an MLP 784-1024-1024-10 at batch 128, and of a convolutional
network (an eighth of the width of Ba et al.) at batch 16, with dropout 0.2 on the input
and 0.5 on the hidden layers. XLA's memory analysis gives the temporary bytes.
"""

from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from benchmarks._bench import Target, main, measure
from benchmarks._compile import compile_ahead
from benchmarks._same import check_steps
from noisejax import layers, models, noise, objectives

ONE = "one sample"
ALLOWED = "one sample, and the bytes of one gradient"


def run(*, repeats: int, smoke: bool) -> list[dict[str, Any]]:
    """Compare a dense network, then a convolutional one."""
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

    def gradient(strategy, num_samples, noise_=key):
        loss_fn = objectives.iwsgd(log_prob, num_samples=num_samples, strategy=strategy)
        jitted = jax.jit(jax.value_and_grad(loss_fn, has_aux=True))
        arguments = params, noise_, x, y
        program, facts = compile_ahead(jitted, *arguments)
        return lambda: program(*arguments), facts

    programs = {
        ONE: gradient("fold", 1),
        "map, S = 8": gradient("map", 8),
        "map, S = 32": gradient("map", 32),
        "fold, S = 8": gradient("fold", 8),
        "vmap, S = 8": gradient("vmap", 8),
    }
    call, facts = programs[ONE]
    size = sum(leaf.nbytes for leaf in jax.tree.leaves(params))
    allowed = facts["temporary_bytes"] + size
    programs[ALLOWED] = call, facts | {"temporary_bytes": allowed}

    @jax.jit
    @jax.value_and_grad
    def copies(params):
        """Return the bound as printed, with the copies in the order of `fold`."""
        many, labels = jnp.repeat(x, 8, axis=0), jnp.repeat(y, 8)
        log_probs = log_prob(params, key, many, labels).reshape(-1, 8)
        return -jnp.mean(jax.nn.logsumexp(log_probs, 1) - np.float32(np.log(8)))

    def same(results):
        draw = layers.functional(model, mutable=["noise"])
        for num_samples in (8, 32):
            keys = jax.random.split(key, num_samples)
            samples = jax.jit(
                jax.vmap(lambda key: draw(params, key, x, train=True)[1])
            )(keys)
            wanted = _without_aux(gradient("fold", num_samples, samples)[0]())
            for strategy in ("map", "vmap"):  # their masks are the same
                name = f"{strategy}, S = {num_samples}"
                if name in results:
                    check_steps(name, _without_aux(results[name]), wanted)
        folded = _without_aux(results["fold, S = 8"])
        check_steps("fold, S = 8", folded, copies(params))

    return measure(
        question,
        {name: call for name, (call, _) in programs.items()},
        reference=ONE,
        repeats=repeats,
        same=same,
        targets=(
            Target("map, S = 32", "map, S = 8", 1.1, "temporary_bytes"),
            Target("map, S = 32", ALLOWED, 1.5, "temporary_bytes"),
        ),
        facts={name: facts for name, (_, facts) in programs.items()},
    )


def _without_aux(result):
    """Return loss and gradients of a result."""
    (loss, _), gradients = result
    return loss, gradients


if __name__ == "__main__":
    main(run)
