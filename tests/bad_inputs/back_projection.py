"""Wrong arguments of back-projection."""

import numpy as np
import optax
from jax import numpy as jnp

from noisejax import backprojection
from tests.bad_inputs.arrays import INTEGERS, X

WEIGHTS = np.ones((5, 3), np.float32)
TARGETS = (np.zeros((4, 3), np.float32),)


def features(params, x):
    return (jnp.tanh(x @ params),)


def project(**changes):
    arguments = {
        "features_fn": features,
        "params": WEIGHTS,
        "x": X,
        "targets": TARGETS,
        **changes,
    }
    return backprojection.back_project(**arguments)


BACK_PROJECTION = {
    "back_project: no function": (
        lambda: project(features_fn=None),
        "got NoneType as features_fn",
    ),
    "back_project: an array for features": (
        lambda: project(features_fn=lambda p, x: x @ p),
        r"\(h,\) for one layer; it returned",
    ),
    "back_project: targets of another number": (
        lambda: project(targets=TARGETS * 2),
        "got 2 for 1 layers",
    ),
    "back_project: targets of another shape": (
        lambda: project(targets=(X,)),
        r"layer 0 has features \(4, 3\) and a target \(4, 5\)",
    ),
    "back_project: an array for targets": (
        lambda: project(targets=TARGETS[0]),
        "must be a tuple .*; got ndarray",
    ),
    "back_project: integers": (
        lambda: project(x=INTEGERS),
        "x must be floating for descent: .*floating",
    ),
    "back_project: one example without an axis": (
        lambda: project(x=X[0]),
        r"must be real inputs \[B, ...\]",
    ),
    "back_project: no steps": (lambda: project(num_steps=0), "got 0"),
    "back_project: steps of a word": (lambda: project(num_steps="many"), "got 'many'"),
    "back_project: bounds the other way": (
        lambda: project(bounds=(1.0, 0.0)),
        r"got \(1, 0\)",
    ),
    "back_project: bounds of one number": (lambda: project(bounds=1.0), "got 1.0"),
    "back_project: negative weights": (
        lambda: project(layer_weights=[-1.0]),
        r"got \[-1.0\]",
    ),
    "back_project: weights of another number": (
        lambda: project(layer_weights=[1.0, 1.0]),
        r"got shape \(2,\)",
    ),
    "back_project: a name for a method": (
        lambda: project(method="stable"),
        "method.*got",
    ),
    "gradient_descent: a negative rate": (
        lambda: backprojection.gradient_descent((-1.0,)),
        r"got \(-1.0,\)",
    ),
    "gradient_descent: a word": (
        lambda: backprojection.gradient_descent("fast"),
        "got 'fast'",
    ),
    "gradient_descent: rates of another number": (
        lambda: project(method=backprojection.gradient_descent((1.0, 2.0))),
        r"one learning rate per layer, here 1; got \(",
    ),
    "from_optax: no transformation": (
        lambda: backprojection.from_optax(optax.sgd),
        "got",
    ),
    "preconditioned: no set-up": (
        lambda: backprojection.preconditioned(X),
        r"setup must come from preconditioner\(.*got ndarray",
    ),
    "preconditioner: inputs that are too large": (
        lambda: backprojection.preconditioner(
            lambda p, x: (x,), None, np.ones((2, 70, 70), np.float32)
        ),
        r"at most 4096; got 4900.*stable_descent\(momentum=True\)",
    ),
    "preconditioner: no damping": (
        lambda: backprojection.preconditioner(features, WEIGHTS, X, damping=0.0),
        "damping must be a finite number above 0, got 0.0",
    ),
    "curvature: no iterations": (
        lambda: backprojection.curvature(features, WEIGHTS, X, num_iterations=0),
        "got 0",
    ),
    "distances: another shape": (
        lambda: backprojection.distances(X, X[:2]),
        r"x_star must have the shape \(4, 5\)",
    ),
    "agreement: other classes": (
        lambda: backprojection.agreement(X, X[:, :3]),
        r"both be \[B, C\], got \(4, 5\) and \(4, 3\)",
    ),
    "class_distances: labels of another number": (
        lambda: backprojection.class_distances(X, np.zeros(3, np.int32), num_classes=2),
        r"labels must be one per example, \(4,\), got \(3,\)",
    ),
}
