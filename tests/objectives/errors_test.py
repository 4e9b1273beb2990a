"""Errors of `iwsgd`: rule, value received, what to do; before anything is run."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from noisejax import objectives
from tests.objectives.networks import batch, key, log_prob, params

STRATEGIES = ("vmap", "map", "fold", "resample")


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"num_samples": 0}, ValueError, "an integer above 0; got 0"),
        ({"num_samples": -3}, ValueError, "an integer above 0; got -3"),
        ({"num_samples": True}, ValueError, "an integer above 0; got True"),
        ({"num_samples": 2.0}, TypeError, "an integer above 0; got 2.0"),
        ({"num_samples": None}, TypeError, "an integer above 0; got None"),
        ({"strategy": "loop"}, ValueError, r"one of \['fold', 'map', .*got 'loop'"),
        ({"weighting": "max"}, ValueError, r"\['blocks', 'equal', .*got 'max'"),
    ],
)
def test_arguments(arguments, error, match):
    with pytest.raises(error, match=match):
        objectives.iwsgd(log_prob, **{"num_samples": 2, **arguments})


def test_no_function():
    with pytest.raises(TypeError, match="must be a function .* got int"):
        objectives.iwsgd(3, num_samples=2)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    ("result", "error", "match"),
    [
        (lambda lp: lp.mean(), ValueError, "shape .*got .*take no mean over the batch"),
        (lambda lp: lp[:, None], ValueError, "sum over outputs and tokens"),
        (lambda lp: (lp, 1), TypeError, "for a pair pass has_aux=True"),
        (lambda lp: jnp.argmax(lp[None], 0), TypeError, "floating; got int32"),
        (lambda lp: None, TypeError, "an array; got NoneType"),
    ],
)
def test_results_of_log_prob_fn(strategy, result, error, match):
    def wrong(*arguments):
        return result(log_prob(*arguments))

    loss_fn = objectives.iwsgd(wrong, num_samples=2, strategy=strategy)
    with pytest.raises(error, match=match):
        jax.eval_shape(loss_fn, params(), key(), *batch())


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_no_pair_with_aux(strategy):
    loss_fn = objectives.iwsgd(log_prob, num_samples=2, strategy=strategy, has_aux=True)
    with pytest.raises(TypeError, match="must return a pair"):
        jax.eval_shape(loss_fn, params(), key(), *batch())


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    ("noise_", "error", "match"),
    [
        (0, TypeError, "JAX random key"),
        ([jnp.ones((3, 6, 5))], ValueError, r"lead with \[4.*noise\[0\] has shape"),
        ([jnp.float32(1)], ValueError, r"noise\[0\] has shape \(\)"),
        ([], ValueError, "holds no array"),
    ],
)
def test_noise(strategy, noise_, error, match):
    loss_fn = objectives.iwsgd(log_prob, num_samples=4, strategy=strategy)
    with pytest.raises(error, match=match):
        loss_fn(params(), noise_, *batch())


@pytest.mark.parametrize("strategy", ["fold", "resample"])
def test_a_batch_of_different_sizes(strategy):
    x, y = batch()
    loss_fn = objectives.iwsgd(log_prob, num_samples=4, strategy=strategy)
    with pytest.raises(ValueError, match=r"batch\[0\].*batch\[1\]"):
        loss_fn(params(), key(), x, np.asarray(y)[:-1])


def test_fold_and_resample_need_a_batch():
    for strategy in ("fold", "resample"):
        loss_fn = objectives.iwsgd(lambda p, k: p, num_samples=2, strategy=strategy)
        with pytest.raises(ValueError, match="needs a batch, and none was passed"):
            loss_fn(jnp.ones(3), key())


def test_blocks_need_an_axis_of_blocks_and_an_exact_strategy():
    with pytest.raises(ValueError, match="'blocks' needs strategy='vmap'"):
        objectives.iwsgd(
            log_prob, num_samples=2, strategy="resample", weighting="blocks"
        )
    loss_fn = objectives.iwsgd(log_prob, num_samples=2, weighting="blocks")
    with pytest.raises(ValueError, match=r"shape \[6, K\]; got \[6\].* axis of blocks"):
        jax.eval_shape(loss_fn, params(), key(), *batch())
