"""Golden outputs: what the library gave before a change is what it gives afterwards.

    python -m tests.goldens.make                   write all sections
    python -m tests.goldens.make fold tables       write these sections only

A section is a JSON file beside this one. Everything is computed through public names.
`tests/goldens_test.py` compares. Changing a golden is a breaking change: say it in
CHANGELOG.md.
"""

import contextlib
import functools
import hashlib
import importlib
import inspect
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
from unittest import mock

import jax
import numpy as np
from flax import nnx
from jax import numpy as jnp
from jax.sharding import NamedSharding, PartitionSpec

from noisejax import (
    backprojection,
    figures,
    layers,
    models,
    noise,
    objectives,
    training,
)
from noisejax.layers import nnx as nnx_layers

FOLDER = pathlib.Path(__file__).parent
ROOT = FOLDER.parents[1]


def key(seed=0):
    """A new key for every use."""
    return jax.random.key(seed)


def normal(seed, shape, dtype=jnp.float32):
    """Return fixed values that do not depend on this library."""
    rng = np.random.default_rng(seed)
    return jnp.asarray(rng.normal(size=shape), dtype)


def digest(array):
    """Return shape and hash of an array, exact to the bit."""
    array = np.asarray(jax.device_get(array))
    shape = "x".join(map(str, array.shape))
    return f"{array.dtype}[{shape}] {hashlib.sha256(array.tobytes()).hexdigest()[:16]}"


def numbers(array, count=8):
    """Return sum, norm and a few elements of an array, to compare with a tolerance."""
    array = np.asarray(jax.device_get(array), np.float64).ravel()
    chosen = array[np.linspace(0, array.size - 1, min(count, array.size)).astype(int)]
    return [float(v) for v in (array.sum(), np.sqrt((array**2).sum()), *chosen)]


def of_tree(tree):
    """Return `numbers` of every leaf, by path."""
    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    return {jax.tree_util.keystr(path): numbers(leaf) for path, leaf in leaves}


MASK_SCHEMES = {
    "dropout": noise.Dropout(0.3),
    "dropout 8 bits": noise.Dropout(0.3, bits=8),
    "dropout shared": noise.Dropout(0.3, broadcast_dims=(1,)),
    "dropout shared 8 bits": noise.Dropout(0.3, 8, (0, 1)),
    "dropout unscaled": noise.Dropout(0.3, scale=False),
    "random_dropout": noise.RandomDropout(0.6),
    "random_dropout 8 bits": noise.RandomDropout(0.6, bits=8),
    "random_dropout per batch": noise.RandomDropout(0.6, batch_dims=0),
    "random_dropout 2 batch_dims": noise.RandomDropout(0.6, batch_dims=2),
    "random_dropout shared": noise.RandomDropout(0.6, broadcast_dims=(1,)),
    "random_dropout unscaled": noise.RandomDropout(0.6, scale=False),
    "spatial_dropout": noise.SpatialDropout(0.3),
    "spatial_dropout 8 bits": noise.SpatialDropout(0.3, bits=8),
    "drop_path": noise.DropPath(0.3),
    "drop_path 2 batch_dims": noise.DropPath(0.3, batch_dims=2),
    "drop_path 8 bits": noise.DropPath(0.5, bits=8),
}

GAUSSIAN_SCHEMES = {
    "gaussian_dropout": noise.GaussianDropout(0.3),
    "gaussian_dropout shared": noise.GaussianDropout(0.3, broadcast_dims=(1,)),
    "gaussian_noise": noise.GaussianNoise(0.5),
    "gaussian_noise shared": noise.GaussianNoise(0.5, broadcast_dims=(0,)),
}

SHAPES = ((16, 24), (6, 5, 7), (4, 6, 5, 3))


def masks():
    """Masks bit for bit: every scheme, eager, jitted, vmapped, sharded; bare masks."""
    found = {}
    sharding = NamedSharding(jax.make_mesh((1,), ("data",)), PartitionSpec("data"))
    for name, scheme in MASK_SCHEMES.items():
        for shape in SHAPES[::2]:
            if max(getattr(scheme, "broadcast_dims", (0,)) or (0,)) >= len(shape):
                continue
            if name == "drop_path 2 batch_dims" and len(shape) == 2:
                continue  # an error: no axis follows the batch axes

            def draw(key, scheme=scheme, shape=shape):
                return scheme.sample(key, shape)

            sample = draw(key(2015))
            at = f"{name}, {shape}"
            found[at] = digest(sample.mask)
            found[f"{at}, scale"] = numbers(sample.scale)
        found[f"{at}, jitted"] = digest(jax.jit(draw)(key(2015)).mask)
        if not scheme.scale:
            continue
        whole = SHAPES[name == "drop_path 2 batch_dims"]
        sharded = scheme.sample(key(2015), whole, out_sharding=sharding)
        found[f"{name}, sharded"] = digest(sharded.mask)
        many = jax.vmap(lambda k, s=scheme: s.sample(k, (6, 5, 7)))(
            jax.random.split(key(2015), 3)
        )
        found[f"{name}, vmapped"] = digest(many.mask)
    for bits in (32, 8):
        for shape in ((), (1,), (7,), (3, 129), (2, 3, 64)):
            mask = noise.bernoulli_mask(key(1), shape, rate=0.3, bits=bits)
            found[f"bernoulli_mask {bits} {shape}"] = digest(mask)
        rates = jnp.linspace(0.1, 0.9, 16).reshape(16, 1)
        mask = noise.bernoulli_mask(key(1), (16, 24), rate=rates, bits=bits)
        found[f"bernoulli_mask {bits} rates"] = digest(mask)
        raw = jax.random.key_data(key(1))
        mask = noise.bernoulli_mask(raw, (16, 24), rate=0.5, bits=bits)
        found[f"bernoulli_mask {bits} raw key"] = digest(mask)
        for impl in ("rbg", "unsafe_rbg"):
            other = jax.random.key(3, impl=impl)
            mask = noise.bernoulli_mask(other, (16, 24), rate=0.5, bits=bits)
            found[f"bernoulli_mask {bits} {impl}"] = digest(mask)
    found["sample_rate"] = numbers(noise.sample_rate(key(4), (6, 1), rate=0.7))
    found["round_rate"] = [noise.round_rate(r, bits=8) for r in (0.1, 0.3, 0.5)]
    return found


def gaussian():
    """Gaussian schemes and all functions of (key, x), by value."""
    found = {}
    for name, scheme in GAUSSIAN_SCHEMES.items():
        for shape in SHAPES[1:]:
            sample = scheme.sample(key(7), shape)
            found[f"{name}, {shape}"] = of_tree(sample)
            found[f"{name}, {shape}, applied"] = numbers(
                noise.apply(normal(1, shape), sample)
            )
    rates = jnp.linspace(0.1, 0.9, 4).reshape(4, 1, 1)
    for dtype in (jnp.float32, jnp.bfloat16):
        x = normal(1, (4, 6, 5), dtype)
        functions = {
            "dropout": (noise.dropout, {"rate": 0.5}),
            "dropout 8 bits": (noise.dropout, {"rate": 0.3, "bits": 8}),
            "dropout rates": (noise.dropout, {"rate": rates}),
            "random_dropout": (noise.random_dropout, {"rate": 0.5}),
            "random_dropout rates": (noise.random_dropout, {"rate": rates}),
            "gaussian_dropout": (noise.gaussian_dropout, {"rate": 0.5}),
            "gaussian_noise": (noise.gaussian_noise, {"stddev": 0.5}),
            "dropconnect": (noise.dropconnect, {"rate": 0.5}),
            "drop_path": (noise.drop_path, {"rate": 0.5}),
            "spatial_dropout": (noise.spatial_dropout, {"rate": 0.5}),
        }
        for name, (function, options) in functions.items():
            at = f"{name}, {jnp.dtype(dtype).name}"
            y = function(key(8), x, **options)
            found[at] = [str(y.dtype), *numbers(y)]
            slope = jax.grad(
                lambda x, f=function, o=options: f(key(8), x, **o).astype("f4").sum()
            )(x)
            found[f"{at}, gradient"] = numbers(slope)
        beta = normal(2, (5,), dtype)
        y = noise.invariant_dropout(key(8), x, beta, rate=0.5)
        found[f"invariant_dropout, {jnp.dtype(dtype).name}"] = numbers(y)
    w, beta = normal(3, (5, 3)), normal(2, (5,))
    found["fold_into_dense"] = numbers(noise.fold_into_dense(beta, w))
    conv = noise.fold_into_conv(beta, normal(4, (3, 3, 5, 2)), input_shape=(4, 4, 5))
    found["fold_into_conv"] = numbers(conv)
    return found


LAYERS = {
    "Noise": ((noise.RandomDropout(0.5),), {}, {}),
    "Noise with a shift": (
        (noise.Dropout(0.5),),
        {"shift": True},
        {"num_features": 6},
    ),
    "Dropout": ((0.5,), {}, {}),
    "RandomDropout": ((0.5,), {}, {}),
    "InvariantDropout": ((0.5,), {}, {"num_features": 6}),
    "SpatialDropout": ((0.5,), {}, {}),
    "DropPath": ((0.5,), {}, {}),
    "GaussianDropout": ((0.5,), {}, {}),
    "GaussianNoise": ((0.5,), {}, {}),
}
"""Layer -> its arguments, its keyword arguments, and those of NNX besides."""


def layers_outputs():
    """Linen and NNX layers and the networks under fixed keys."""
    found, x = {}, normal(9, (4, 5, 6))
    for name, (args, options, needed) in LAYERS.items():
        linen = getattr(layers, name.split()[0])(*args, **options)
        variables = linen.init({"params": key(5), "dropout": key(6)}, x, **TRAIN)
        y = linen.apply(variables, x, **TRAIN, rngs={"dropout": key(0)})
        found[f"Linen {name}"] = numbers(y)
        y, kept = linen.apply(
            variables, x, **TRAIN, rngs={"dropout": key(0)}, mutable=["noise"]
        )
        again = linen.apply({**variables, **kept}, x, **TRAIN)
        found[f"Linen {name}, replayed"] = numbers(again)
        twin = getattr(nnx_layers, name.split()[0])(
            *args, **options, **needed, rngs=nnx.Rngs(0)
        )
        found[f"NNX {name}"] = numbers(twin(x, **TRAIN))
    connected = layers.DropConnect(3, 0.5)
    variables = connected.init({"params": key(5), "dropout": key(6)}, x, **TRAIN)
    y = connected.apply(variables, x, **TRAIN, rngs={"dropout": key(0)})
    found["Linen DropConnect"] = numbers(y)
    images = normal(10, (2, 8, 8, 3))
    networks = {
        "mlp": (
            models.MLP((7, 6), 3, input_noise=noise.Dropout(0.2), hidden_noise=HIDDEN),
            x[:, 0],
        ),
        "mlp shifted": (
            models.MLP(
                (7, 6),
                3,
                input_noise=noise.Dropout(0.2),
                hidden_noise=HIDDEN,
                input_shift=True,
                hidden_shift=True,
                pieces=2,
            ),
            x[:, 0],
        ),
        "wide_resnet": (
            models.WideResNet(3, 10, 0.5, hidden_noise=HIDDEN[:1] * 3),
            images,
        ),
    }
    for name, (network, inputs) in networks.items():
        variables = jax.jit(functools.partial(network.init, train=False))(
            key(5), inputs
        )
        clean = jax.jit(functools.partial(network.apply, train=False))
        found[f"network {name}"] = numbers(clean(variables, inputs)[0])
        noisy = functools.partial(network.apply, train=True, mutable=["batch_stats"])
        (out, hidden), _ = jax.jit(noisy)(variables, inputs, rngs={"dropout": key(0)})
        found[f"network {name}, noisy"] = {"output": numbers(out), **of_tree(hidden)}
    return found


TRAIN = {"deterministic": False}
HIDDEN = (noise.RandomDropout(0.5), noise.Dropout(0.5))

SIZES = (5, 7, 3)


def mlp_params():
    """Return the parameters of a network with one hidden layer."""
    return [
        normal(10 + i, s) for i, s in enumerate(zip(SIZES, SIZES[1:], strict=False))
    ]


def log_prob(params, noise_, x, y):
    """Return log p(y | x, noise), [B]. The noise is a key or two samples."""
    if isinstance(noise_, jax.Array):
        keys = jax.random.split(noise_)
        shapes = ((x.shape[0], SIZES[0]), (x.shape[0], SIZES[1]))
        schemes = (noise.Dropout(0.4), noise.GaussianDropout(0.4))
        noise_ = [s.sample(k, n) for s, k, n in zip(schemes, keys, shapes, strict=True)]
    hidden = jnp.tanh(noise.apply(x, noise_[0]) @ params[0])
    logits = noise.apply(hidden, noise_[1]) @ params[1]
    return objectives.label_log_prob(logits, y)


def objective(strategy, num_samples, weighting="importance"):
    """Loss, weights and gradients of IWSGD."""
    x, y = normal(20, (6, 5)), jnp.arange(6) % 3
    loss_fn = objectives.iwsgd(
        log_prob, num_samples=num_samples, strategy=strategy, weighting=weighting
    )
    step = jax.jit(jax.value_and_grad(loss_fn, has_aux=True))
    (loss, aux), slope = step(mlp_params(), key(1), x, y)
    return {
        "loss": float(loss),
        "log_probs": numbers(aux.log_probs),
        "weights": numbers(aux.weights),
        "effective_samples": numbers(aux.effective_samples),
        "gradient": of_tree(slope),
    }


def iwsgd():
    """IWSGD by every strategy with 1 and 3 samples, and the formulas."""
    found = {}
    for strategy in ("vmap", "map", "fold", "resample"):
        for num_samples in (1, 3):
            if strategy == "fold" and num_samples > 1:
                continue  # a section of its own
            found[f"{strategy}, S={num_samples}"] = objective(strategy, num_samples)
    found["equal, S=3"] = objective("vmap", 3, "equal")
    log_probs = normal(40, (4, 5))
    found["importance_weights"] = numbers(objectives.importance_weights(log_probs))
    found["iw_log_likelihood"] = numbers(objectives.iw_log_likelihood(log_probs))
    curve = objectives.bound_curve(log_probs)
    found["bound_curve"] = numbers(curve.bound)
    return found


def fold():
    """Return results of the strategy fold with S > 1, whose order of copies matters."""
    return {"S=3": objective("fold", 3), "S=3, equal": objective("fold", 3, "equal")}


def features(params, x):
    """Noise-free activations of two hidden layers."""
    out = []
    for w in params:
        x = jax.nn.relu(x @ w)
        out.append(x)
    return tuple(out)


def back_projection():
    """x*, losses and residuals by every method."""
    import optax

    sizes = (12, 30, 20)
    params = [
        normal(50 + i, s) / s[0] ** 0.5
        for i, s in enumerate(zip(sizes, sizes[1:], strict=False))
    ]
    x, targets, hidden = jnp.abs(normal(60, (6, 12))), [], jnp.abs(normal(60, (6, 12)))
    for i, w in enumerate(params):
        hidden = noise.dropout(key(70 + i), jax.nn.relu(hidden @ w), rate=0.5)
        targets.append(hidden)
    setup = backprojection.preconditioner(features, params, x)
    methods = {
        "gradient_descent": backprojection.gradient_descent((3.0, 2.0)),
        "stable_descent": backprojection.stable_descent(),
        "preconditioned": backprojection.preconditioned(setup),
        "preconditioned alone": backprojection.preconditioned(),
        "from_optax": backprojection.from_optax(optax.adam(0.01)),
    }
    found = {}
    for name, method in methods.items():
        for options in ({}, {"bounds": (0.0, 1.0)}, {"per_layer": True}):
            if options and name in ("preconditioned alone", "from_optax"):
                continue
            result = backprojection.back_project(
                features,
                params,
                x,
                tuple(targets),
                num_steps=6,
                method=method,
                **options,
            )
            found[f"{name}, {options}"] = {
                "x_star": numbers(result.x_star),
                "loss": numbers(result.loss),
                "residual_before": numbers(result.residual_before),
                "residual_after": numbers(result.residual_after),
                "diverged": numbers(result.diverged),
            }
    default = backprojection.back_project(features, params, x, tuple(targets))
    found["default"] = numbers(default.x_star)
    return found


def config(**changes):
    """Return the config of a short run on digits, with section__field=value changes."""
    values = training.Config()
    base = {
        "model__widths": (32, 32),
        "training__epochs": 2,
        "optimizer__learning_rate": 0.05,
    }
    for path, value in {**base, **changes}.items():
        section, name = path.split("__")
        setattr(getattr(values, section), name, value)
    return values


RUNS = {
    "digits": {},
    "four samples by vmap": {
        "objective__num_samples": 4,
        "objective__strategy": "vmap",
    },
    "two seeds": {"training__num_seeds": 2, "noise__scheme": "random_dropout"},
    "invariant dropout": {"noise__shift": "both", "optimizer__max_norm": 0.7},
    "back-projection": {
        "training__mode": "back_projection",
        "training__retrain_epochs": 2,
    },
}


def result_of(path, summary):
    """Return the result of a run; `params_sha256` depends on the machine."""
    metrics = training.read_metrics(pathlib.Path(path) / "metrics.jsonl")
    losses = [
        float(np.mean(row["loss"]))
        for row in metrics
        if row.get("split") == "train" and "loss" in row
    ]
    return {
        "rows": len(metrics),
        "losses": losses,
        "params": of_tree(training.load_run(path).variables["params"]),
        "test_error_percent": summary["test_error_percent"]["per_seed"],
        "params_sha256": str(summary["params_sha256"]),
    }


def runs(folder):
    """Short training runs, one of them stopped and resumed."""
    found = {}
    for name, changes in RUNS.items():
        path = folder / name.replace(" ", "_")
        found[name] = result_of(path, training.train(config(**changes), path))
    path = folder / "resumed"
    with contextlib.suppress(training.TrainingStopped):
        stop_after_first_epoch(path)
    summary = training.train(config(), path, resume=True)
    found["resumed"] = result_of(path, summary)
    return found


def stop_after_first_epoch(path):
    """Train, and send SIGTERM to this process once the first epoch is written."""
    import signal
    import threading

    done = threading.Event()

    def watch():
        metrics = path / "metrics.jsonl"
        while not done.wait(0.005):
            if metrics.exists() and metrics.read_bytes().count(b"\n"):
                os.kill(os.getpid(), signal.SIGTERM)
                return

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        training.train(config(), path)
    finally:
        done.set()
        thread.join()


SKIPPED = re.compile(r"seconds|device|versions|commit|path|checkpoint|workdir|figure")


def is_number(value):
    """True for int and float, not for bool."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def flat(value, at=""):
    """Return the numbers of a JSON document by path, without those of the machine."""
    if isinstance(value, dict):
        parts = [(f"{at}/{k}", v) for k, v in value.items() if not SKIPPED.search(k)]
    elif isinstance(value, list) and value and all(map(is_number, value)):
        return {at: numbers(value, 4)}
    elif isinstance(value, list):
        parts = [(f"{at}/{i}", v) for i, v in enumerate(value)]
    else:
        return {at: value} if is_number(value) else {}
    return {k: v for path, part in parts for k, v in flat(part, path).items()}


def commands(folder, run):
    """`diagnose` and `project` on a tiny run."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    few = ("--num_examples=20", "--num_pictures=2", "--num_masks=2", "--num_steps=3")
    started = {
        name: subprocess.Popen(
            [
                *(sys.executable, "-m", f"noisejax.{name}", f"--checkpoint={run}"),
                *(f"--workdir={folder / name}", *flags),
            ],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for name, flags in {"diagnose": (), "project": few}.items()
    }
    found = {}
    for name, process in started.items():
        output = process.communicate()[0]
        assert process.returncode == 0, output
        file = {"diagnose": "diagnose.json", "project": "projection.json"}[name]
        found[name] = flat(json.loads((folder / name / file).read_text()))
    return found


def reproduction():
    """The module behind `python -m noisejax.reproduce`."""
    for name in ("noisejax.reproduction", "noisejax.reproduce"):
        with contextlib.suppress(ImportError):
            module = importlib.import_module(name)
            if hasattr(module, "find_experiment"):
                return module
    raise ImportError("find_experiment and reproduce are nowhere")


@contextlib.contextmanager
def undrawn():
    """Disable figures, which are slow or need arrays that are not committed."""
    drawn = [k for k, v in vars(figures).items() if inspect.isfunction(v)]
    with contextlib.ExitStack() as stack:
        for name in drawn:
            stack.enter_context(mock.patch.object(figures, name))
        yield


def tables(folder):
    """Make the tables from the committed results.jsonl, by experiment."""
    module, found = reproduction(), {}
    for committed in sorted((ROOT / "results").glob("*/results.jsonl")):
        name = committed.parent.name
        results = [json.loads(line) for line in committed.read_text().splitlines()]
        scale = re.search(
            r"--scale=(\w+)", (committed.parent / "table.md").read_text()
        )[1]
        there = folder / name
        there.mkdir()
        shutil.copy(committed, there)
        identity = {"experiment": name, "scale": scale, "rows": {}}
        (there / "experiment.json").write_text(json.dumps(identity))
        with undrawn():
            path = module.reproduce(
                module.find_experiment(name),
                there,
                scale=scale,
                only=list(dict.fromkeys(result["row"] for result in results)),
            )
        found[name] = path.read_text().splitlines()
    return found


SECTIONS = {
    "masks": lambda folder: masks(),
    "gaussian": lambda folder: gaussian(),
    "layers": lambda folder: layers_outputs(),
    "iwsgd": lambda folder: iwsgd(),
    "fold": lambda folder: fold(),
    "back_projection": lambda folder: back_projection(),
    "training": runs,
    "commands": lambda folder: commands(folder, trained(folder / "run")),
}


def trained(path):
    """Return a run for the commands that read one."""
    changes = {"noise__shift": "hidden", "data__validation": 0.5}
    training.train(config(**changes, training__epochs=1), path)
    return path


def make(section):
    """Compute the outputs of the code in this tree."""
    with tempfile.TemporaryDirectory() as folder:
        return json.loads(json.dumps(SECTIONS[section](pathlib.Path(folder))))


def main():
    """Write the named sections, or all."""
    for section in sys.argv[1:] or SECTIONS:
        text = json.dumps(make(section), indent=0, ensure_ascii=False)
        text = re.sub(r"\n(?=[-\d\]])", " ", text)  # a list of numbers in one line
        (FOLDER / f"{section}.json").write_text(text + "\n")
        print(f"wrote {section}.json", flush=True)


if __name__ == "__main__":
    main()
