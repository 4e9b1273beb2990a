"""Shapes in signatures are correct: jaxtyping and beartype check them at run time."""

import pathlib
import subprocess
import sys
import textwrap


def test_signatures_hold_at_run_time():
    """Needs another process, because an import hook rewrites every function."""
    code = textwrap.dedent(
        """
        import jaxtyping
        with jaxtyping.install_import_hook("noisejax", "beartype.beartype"):
            import noisejax
            from noisejax import activations, layers, noise
        import jax, jax.numpy as jnp, numpy as np
        key, x = jax.random.key(0), jnp.ones((4, 5, 6))
        for scheme in (
            noise.Dropout(0.3), noise.Dropout(0.3, 8, (1,)), noise.RandomDropout(0.3),
            noise.GaussianDropout(0.3), noise.GaussianNoise(0.3), noise.DropPath(0.3),
            noise.SpatialDropout(0.3),
        ):
            for level in (None, jnp.float32(0.2), jnp.full((4, 1, 1), 0.2)):
                if scheme == noise.DropPath(0.3) or level is None or level.ndim == 0:
                    noise.apply(x, scheme.sample(key, x.shape, level=level))
        noise.dropout(key, x, rate=0.5)
        noise.random_dropout(key, x, rate=jnp.full((4, 1, 1), 0.5), bits=8)
        noise.invariant_dropout(key, x, jnp.zeros(6), rate=0.5)
        noise.dropconnect(key, jnp.ones((3, 4)), rate=0.5)
        noise.mask_sample(np.ones((1, 3), bool))
        noise.update_running_mean(jnp.zeros(6), x)
        noise.shift_decay_penalty({"a": jnp.ones(3)})
        noise.fold_into_dense(jnp.ones(3), jnp.ones((3, 4)))
        noise.fold_into_conv(jnp.ones(2), jnp.ones((3, 3, 2, 4)), input_shape=(5, 5, 2))
        noise.sample_rate(key, (3, 1), rate=0.5), noise.round_rate(0.3, bits=8)
        phi = activations.gaaf(jnp.tanh, activations.exponential_shape)
        jax.jit(jax.grad(lambda x: phi(x).sum()))(x)
        activations.gaaf_relu(x, value="exact"), activations.gaaf_sigmoid(x)
        layer = layers.Noise(noise.RandomDropout(0.3), shift=True, deterministic=False)
        variables = layer.init({"params": key, "dropout": key}, x)
        layers.functional(layer)(variables, key, x)
        try:
            noise.fold_into_dense(jnp.ones(3), jnp.ones((3, 4, 5)))
        except jaxtyping.TypeCheckError:
            pass
        else:
            raise AssertionError("shapes are not checked")
        """
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr[-3000:]


def test_examples_hold_their_shapes():
    """Every docstring example runs with all signatures checked."""
    packages = ("noise", "activations", "objectives", "backprojection", "diagnostics")
    chosen = " or ".join(f"noisejax.{name}" for name in (*packages, "layers"))
    result = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-n0", "-p", "no:cacheprovider"),
            *("tests/docstrings_test.py", "-k", f"test_examples and ({chosen})"),
            "--jaxtyping-packages=noisejax,beartype.beartype",
        ],
        cwd=pathlib.Path(__file__).parents[1],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout[-3000:]
