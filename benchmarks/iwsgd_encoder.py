"""IWSGD with noise on the hidden layers only: cost of the work before the noise.

The first layer of an MLP 784-1024-1024-10, the encoder, is inside the log-likelihood,
or outside of it, with its output as the batch, as the documentation of `iwsgd` shows.
Outside, it is trained or frozen. One SGD step at batch 128, by every strategy. XLA's
cost analysis counts the operations ("flops").
"""

from typing import Any

import jax
import numpy as np
from jax import lax

from benchmarks._bench import Target, main, measure
from benchmarks._same import check_steps
from benchmarks.iwsgd import RATES, Step, make_log_prob, make_problem
from noisejax import noise, objectives

STRATEGIES = ("fold", "vmap", "map", "resample")


def run(*, repeats: int, smoke: bool) -> list[dict[str, Any]]:
    """Compare the positions of the encoder at S = 8."""
    problem = params, x, y, key = make_problem(smoke)
    num_samples = 2 if smoke else 8

    def whole(params, key, x, y):
        return make_log_prob(32, rates=(0.0, *RATES[1:]))(params, key, x, y)

    def head(params, key, hidden, y):
        keys = jax.random.split(key, len(params))[1:]
        for w, k in zip(params[1:], keys, strict=True):
            hidden = jax.nn.relu(hidden) if w is not params[1] else hidden
            hidden = noise.dropout(k, hidden, rate=RATES[-1]) @ w
        return objectives.label_log_prob(hidden, y)

    def losses(strategy):
        inside, outside = (
            objectives.iwsgd(fn, num_samples=num_samples, strategy=strategy)
            for fn in (whole, head)
        )

        def composed(params, key, x, y):
            return outside(params, key, jax.nn.relu(x @ params[0]), y)

        def frozen(params, key, x, y):
            return composed([lax.stop_gradient(params[0]), *params[1:]], key, x, y)

        return {"inside": inside, "outside": composed, "outside, frozen": frozen}

    steps = {
        f"{strategy}, encoder {where}": Step(loss_fn, problem, None)
        for strategy in STRATEGIES
        for where, loss_fn in losses(strategy).items()
    }

    def same(results):
        for strategy in STRATEGIES:
            wanted, *found = (
                jax.jit(jax.value_and_grad(lambda p, f=f: f(p, key, x, y)[0]))(params)
                for f in losses(strategy).values()
            )
            check_steps(strategy, found[0], wanted)
            np.testing.assert_allclose(found[1][0], wanted[0], rtol=1e-5)

    return measure(
        f"step, MLP {x.shape[1]}-{params[0].shape[1]}-{params[1].shape[1]}-10, batch "
        f"{len(x)}, S = {num_samples}, noise on hidden layers only",
        steps,
        reference="fold, encoder inside",
        repeats=repeats,
        same=same,
        targets=[
            Target("fold, encoder outside", "fold, encoder inside", 0.75, "flops"),
            Target(
                "fold, encoder outside, frozen", "fold, encoder inside", 0.5, "flops"
            ),
            Target("vmap, encoder inside", "vmap, encoder outside", 1.02, "flops"),
        ],
        facts={name: step.facts for name, step in steps.items()},
    )


if __name__ == "__main__":
    main(run)
