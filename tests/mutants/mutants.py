"""The mutants: each breaks one promise of PROMISES.md in one place of the source."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Mutant:
    """A text in a file, and what takes its place.

    Attributes:
      name: short name, for --only.
      promise: the promise that is broken.
      file: path of the source.
      old: text that occurs exactly once in it.
      new: text in its place.
      tests: tests of the gate's quick part that should fail, below tests/.
    """

    name: str
    promise: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


def golden(section: str) -> str:
    return f"goldens_test.py::test_outputs_are_those_of_the_file[{section}]"


RANDOM = "noisejax/noise/_random_bits.py"
DROPOUT = "noisejax/noise/_dropout.py"
OBJECTIVES = "noisejax/objectives"
PROJECTION = "noisejax/backprojection"
TRAINING = "noisejax/training"

NOISE = [
    Mutant(
        "keep_or_drop",
        "the rate is the probability of being dropped",
        RANDOM,
        "np.float32(1.0 - rounded(rate, bits))",
        "np.float32(rounded(rate, bits))",
        ("noise/mask_test.py::test_32_bits_are_the_stock_draw",),
    ),
    Mutant(
        "rotation",
        "masks are those of threefry, bit for bit",
        RANDOM,
        "((13, 15, 26, 6), (17, 29, 16, 24))",
        "((13, 15, 26, 6), (17, 29, 16, 25))",
        ("noise/mask_test.py::test_32_bits_are_the_stock_draw",),
    ),
    Mutant(
        "planes",
        "8-bit words are cut into planes along the last axis",
        RANDOM,
        "_byte(words, np.uint32(8 * plane))",
        "_byte(words, np.uint32(8 * (3 - plane)))",
        ("noise/mask_test.py::test_8_bits_cut_words_into_planes_of_the_last_axis",),
    ),
    Mutant(
        "checker",
        "the key-reuse checker sees every draw",
        RANDOM,
        "jnp.sum(jax.random.bits(key, (0,), jnp.uint32), dtype=jnp.uint32)",
        "jnp.uint32(0)",
        ("noise/mask_test.py::test_the_key_reuse_checker_sees_the_draw",),
    ),
    Mutant(
        "rounded_scale",
        "at 8 bits the scale follows the rounded rate",
        RANDOM,
        "    keep = keep_probability(rate, bits=bits)\n    if isinstance(keep",
        "    keep = keep_probability(rate, bits=32)\n    if isinstance(keep",
        ("noise/law_test.py::test_the_8_bit_scale_follows_the_rounded_rate",),
    ),
    Mutant(
        "reused_key",
        "level and mask of random dropout have keys of their own",
        DROPOUT,
        "return self._draw(mask_key, shape, rho, out_sharding)",
        "return self._draw(jax.random.clone(rate_key), shape, rho, out_sharding)",
        (golden("masks"),),
    ),
    Mutant(
        "level_per_unit",
        "units of an example share a level",
        DROPOUT,
        "rho_shape = share_behind(shape, self.batch_dims)",
        "rho_shape = shape",
        ("noise/law_test.py::test_units_that_share_a_level_covary",),
    ),
    Mutant(
        "variance",
        "Gaussian dropout has the variance of dropout",
        "noisejax/noise/_gaussian.py",
        "np.float32(math.sqrt(rate / (1 - rate)))",
        "np.float32(rate / (1 - rate))",
        (
            "noise/law_test.py::"
            "test_gaussian_dropout_is_normal_with_the_moments_of_dropout",
        ),
    ),
    Mutant(
        "shift_after_mask",
        "the shift is added before the mask (Ba, eq. 8)",
        "noisejax/noise/_shift.py",
        "return apply_scheme(as_key(key), shift(x, beta), Dropout(0.0, bits), rate)",
        "return shift(apply_scheme(as_key(key), x, Dropout(0.0, bits), rate), beta)",
        ("noise/shift_test.py::test_invariant_dropout_is_equation_8",),
    ),
    Mutant(
        "running_mean_gradient",
        "the running average passes no gradient",
        "noisejax/noise/_shift.py",
        "clean = lax.stop_gradient(check_floating(x).astype(mean.dtype))",
        "clean = check_floating(x).astype(mean.dtype)",
        (
            "noise/shift_test.py::"
            "test_the_running_mean_is_an_exponential_average_without_gradient",
        ),
    ),
    Mutant(
        "penalty",
        "the gradient of the shift penalty is decay times beta",
        "noisejax/noise/_shift.py",
        "0.5 * decay * sum(squares",
        "decay * sum(squares",
        (
            "noise/shift_test.py::"
            "test_shift_decay_adds_decay_times_beta_to_the_gradient",
        ),
    ),
]

ACTIVATIONS = [
    Mutant(
        "sawtooth",
        "g is centred (Hahn, eq. 7)",
        "noisejax/activations.py",
        "(fraction - 0.5) / frequency",
        "fraction / frequency",
        ("activations/gaaf_test.py::test_equation_7",),
    ),
    Mutant(
        "slope",
        "the derivative gains s",
        "noisejax/activations.py",
        "y_dot + slope * x_dot",
        "y_dot - slope * x_dot",
        ("activations/gaaf_test.py::test_the_derivative_is_phi_prime_plus_s",),
    ),
]

IWSGD = [
    Mutant(
        "not_normalised",
        "weights sum to 1 (Noh, eq. 8)",
        f"{OBJECTIVES}/_weights.py",
        "return exp / jnp.sum(exp, axis=0, keepdims=True)",
        "return exp / jnp.mean(exp, axis=0, keepdims=True)",
        ("objectives/weights_test.py::test_weights_are_eq_8",),
    ),
    Mutant(
        "log_s",
        "the bound is the log of a mean (Noh, eq. 4)",
        f"{OBJECTIVES}/_weights.py",
        "largest + jnp.log(jnp.mean(",
        "largest + jnp.log(jnp.sum(",
        ("objectives/weights_test.py::test_bound_is_eq_4",),
    ),
    Mutant(
        "sign",
        "the loss is minus the bound",
        f"{OBJECTIVES}/_iwsgd.py",
        "return -jnp.mean(bounds), aux",
        "return jnp.mean(bounds), aux",
        (golden("iwsgd"),),
    ),
    Mutant(
        "one_key",
        "each sample has its own key",
        f"{OBJECTIVES}/_strategies.py",
        "jax.random.split(noise, num_samples) if is_key",
        "jnp.broadcast_to(noise, (num_samples, *noise.shape)) if is_key",
        ("objectives/iwsgd_test.py::test_sample_s_gets_its_split_of_the_key",),
    ),
    Mutant(
        "copies",
        "replayed samples reach the copies of their own example",
        f"{OBJECTIVES}/_strategies.py",
        "    leaf = jnp.swapaxes(leaf, 0, 1)\n",
        "    leaf = jnp.swapaxes(jnp.flip(leaf, 1), 0, 1)\n",
        ("objectives/iwsgd_test.py::test_strategies_agree_on_replayed_samples",),
    ),
    Mutant(
        "picked",
        "resample chooses by weight",
        f"{OBJECTIVES}/_resample.py",
        "jax.random.categorical(pick_key, jnp.log(probabilities), axis=0)",
        "jax.random.categorical(pick_key, jnp.zeros_like(probabilities), axis=0)",
        ("objectives/resample_test.py::test_it_is_unbiased_and_has_more_variance",),
    ),
    Mutant(
        "tokens",
        "only the tokens that count are summed",
        f"{OBJECTIVES}/_targets.py",
        "return log_probs if counts is None else jnp.where(counts, log_probs, 0)",
        "return log_probs",
        ("objectives/targets_test.py::test_sequences_sum_the_tokens_that_count",),
    ),
]

BACK_PROJECTION = [
    Mutant(
        "residual_axis",
        "the residual is per layer and example",
        f"{PROJECTION}/_objective.py",
        "jnp.sum(a * b, axis=tuple(range(1, a.ndim)))",
        "jnp.broadcast_to(jnp.sum(a * b) / a.shape[0], a.shape[:1])",
        ("backprojection/formula_test.py::test_pinned_step_losses_and_residuals",),
    ),
    Mutant(
        "units",
        "the error is a mean over the units of a layer",
        f"{PROJECTION}/_objective.py",
        "scales = 2 * weights / self.sizes",
        "scales = 2 * weights",
        ("backprojection/formula_test.py::test_pinned_step_losses_and_residuals",),
    ),
    Mutant(
        "diverged",
        "an example that ends worse is flagged",
        f"{PROJECTION}/_back_project.py",
        "(after <= before + allowed)",
        "(after <= after + allowed)",
        ("backprojection/contract_test.py::test_divergence_is_flagged",),
    ),
]

MEASUREMENTS = [
    Mutant(
        "ddof",
        "variance over draws is unbiased (Hahn, table 3)",
        "noisejax/diagnostics/_net_variance.py",
        "measured=squares.net / (num_draws - 1)",
        "measured=squares.net / num_draws",
        (
            "diagnostics/net_variance_test.py::"
            "test_measured_is_numpys_variance_over_draws",
        ),
    ),
    Mutant(
        "absolute",
        "gradient information is a mean of absolute values (Hahn, eq. 5)",
        "noisejax/diagnostics/_gradient_information.py",
        "jnp.mean(jnp.abs(g.astype(",
        "jnp.mean((g.astype(",
        ("diagnostics/gradient_information_test.py::test_equation_5",),
    ),
]

LAYERS = [
    Mutant(
        "frozen_mask",
        "init records no sample",
        "noisejax/layers/_replay.py",
        "by_name and not module.is_initializing()",
        "by_name",
        ("layers/replay_test.py::test_init_never_freezes_a_sample",),
    ),
    Mutant(
        "replay",
        "recorded samples are replayed in call order",
        "noisejax/layers/_replay.py",
        "return self.replayed[self.count]",
        "return self.replayed[-1]",
        ("layers/replay_test.py::test_what_is_recorded_is_replayed",),
    ),
    Mutant(
        "noise_after_net",
        "activations come before the noise",
        "noisejax/models/_mlp.py",
        "x = self._noisy(clean, i, train)",
        "x = clean = self._noisy(clean, i, train)",
        (golden("layers"),),
    ),
]

RUNS = [
    Mutant(
        "epoch_key",
        "each epoch has its own noise, and a resumed run goes on with it",
        f"{TRAINING}/_state.py",
        "key = jax.random.fold_in(seed_key(seed, purpose), epoch)",
        "key = jax.random.fold_in(seed_key(seed, purpose), 0)",
        (golden("training"),),
    ),
    Mutant(
        "rows_twice",
        "each row of the metrics is written once",
        f"{TRAINING}/_metrics.py",
        "        self._file.write(encode_rows(rows))\n",
        "        self._file.write(2 * encode_rows(rows))\n",
        ("training/run_test.py::test_each_row_once",),
    ),
    Mutant(
        "lost_checkpoint",
        "the newest checkpoint is restored",
        f"{TRAINING}/_checkpoint.py",
        "reversed(gather(_numbers(folder))[0])",
        "reversed([])",
        ("training/run_test.py::test_it_can_be_read_back",),
    ),
    Mutant(
        "norms",
        "max_norm limits the incoming weights of a unit",
        f"{TRAINING}/_optimizer.py",
        "axes = tuple(range(kernel.ndim - 1))",
        "axes = tuple(range(1, kernel.ndim))",
        (golden("training"),),
    ),
    Mutant(
        "held_out",
        "validation examples are not trained on",
        "noisejax/data/_split.py",
        "return np.sort(order[size:]), np.sort(order[:size])",
        "return np.sort(order), np.sort(order[:size])",
        ("data/split_test.py::test_a_split_is_a_partition",),
    ),
    Mutant(
        "fitted_on_all",
        "preprocessing is fitted on the training examples only",
        "noisejax/data/_preprocess.py",
        "dataset.train_x if fit_on is None else dataset.train_x[fit_on]",
        "dataset.train_x",
        ("data/preprocess_test.py::test_what_is_held_out_is_never_fitted_on",),
    ),
]

REPRODUCTIONS = [
    Mutant(
        "standard_error",
        "a table shows the mean and its standard error",
        "noisejax/reproduce/_table.py",
        "float(np.std(values, ddof=1) / math.sqrt(len(values)))",
        "float(np.std(values, ddof=1))",
        ("goldens_test.py::test_committed_tables_follow_from_their_results",),
    ),
]

MUTANTS = [
    *(NOISE + ACTIVATIONS + IWSGD + BACK_PROJECTION),
    *(MEASUREMENTS + LAYERS + RUNS + REPRODUCTIONS),
]
