"""The words of the experiments: what is reported, what is measured."""

METRICS = {
    "test_error_percent": "error on the test part, of the chosen network",
    "test_accuracy_percent": "100 - test_error_percent",
    "train_accuracy_percent": "noise-free accuracy on the training part, of the chosen "
    "network",
    "epochs_to_converge": "the best epoch by validation under a fixed patience",
    "code_quality_bits": "KL(target, naive) - KL(target, prediction), summed",
    "zero_at": "the net values at which an activation is 0; share: of a grid of them",
    "pairs_above": "pairs of units whose |correlation| is above a bound",
    "gradient_information": "mean |dE/dW| of a layer, through training",
    "gradient_per_example": "the same, of single examples at the best epoch",
    "gradient_inverted_scaling": "the same, not converted to the paper's scaling",
    "net_variance": "variance of net values over 20 draws of the masks",
    "net_variance_conditional": "its part from the noise on the layer's input (eq. 6)",
    "net_variance_passed_on": "its part from the noise below",
    "slope_gain": "mean phi'(z + noise) / mean phi'(z) among saturated units",
    "share_saturated": "share of net values with phi' below 0.1",
    "shift_correlation": "of shifts with mean activities, per layer",
    "shift_slope": "least-squares slope of shifts against mean activities, per layer",
    "dead_share": "share of units that are 0 on every test example, per layer",
    "sharpness": "largest eigenvalue of the Hessian of the noise-free training loss, "
    "512 examples; residual: relative error of the eigenpair",
    "bound": "L(S) on the test examples, in nats (Noh et al. 2017, eq. 4)",
    "effective_samples": "1 / sum of squared importance weights of 8 samples, mean "
    "over 1,000 training examples",
    "prediction_error_percent": "test error of the noise-free pass, and of the mean "
    "prediction of 16 noise samples (Monte Carlo)",
    "calibration_error_percent": "expected calibration error, 15 bins, of the same",
    "nearest_class_kept": "share of inputs whose nearest training input has the class "
    "of the original; x: of the originals themselves",
    "others_changed": "relative squared change of the other units at x*, and after "
    "subtracting the unit's filter until the unit is off; medians",
    "validation_error_percent": "error on the examples held out, at the best epoch",
    "residual": "squared distance to the target, relative, before and after "
    "back-projection, the median over samples; diverged: the share that ended farther "
    "away",
    "distance_spread": "deviation / mean of the distances of an input's samples",
    "dropped_share": "of units: near_rate, P(within 0.05 of p); above_rate, P(above "
    "p); unevenness, deviation / mean of P below p - 0.1; draws_off, total variation "
    "distance of the draws from the exact law",
    "acceleration": "of g: largest, max |g| K; slope, where it does not step",
    "shape": "s(x) at a net value x",
}
"""Metric -> what it is. A layer or a bound is added behind a slash."""

MEASUREMENTS = {
    "activation_zeros": "where each activation gives 0, found on a grid",
    "dropped_share_density": "P(k of n dropped), exact, and a histogram of draws",
    "gaaf_functions": "g(x) and the shape functions, with their slopes",
    "back_projected_samples": "inputs whose noise-free features are noisy ones'",
    "units_shut_off": "back-projections with each of the five most active units off",
    "correlation_counts": "Pearson correlations of units on the test part",
    "gradient_information": "mean |gradient| of each weight matrix through training",
    "net_variances": "of one batch of 128 over 20 draws, per layer",
    "slopes_under_noise": "phi' with and without noise, by net value",
    "net_values": "distributions of net values on the test part, per layer",
    "shift_images": "the mean input and the learned input shifts as images",
    "shift_against_activity": "shifts against mean activities, per layer",
    "learning_curves": "errors and losses by epoch",
    "dead_units": "units that are 0 on every test example",
    "sharpness": "largest eigenvalue of the Hessian of the training loss",
    "noise_samples": "bound, Monte-Carlo prediction, calibration, effective samples",
}
"""Measurement -> what it is."""
