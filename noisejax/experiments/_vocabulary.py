"""Names of metrics and measurements, with their meanings."""

METRICS = {
    "test_error_percent": "error on the test examples",
    "test_accuracy_percent": "100 - test_error_percent",
    "validation_error_percent": "error on the validation examples at the best epoch",
    "train_accuracy_percent": "noise-free accuracy on the training examples",
    "epochs_to_converge": "epoch with the lowest validation error; training stops "
    "after a fixed number of epochs without a lower one",
    "code_quality_bits": "Σ KL(target, naive) - KL(target, prediction)",
    "zero_at": "pre-activations at which the activation is 0; share: fraction of the "
    "grid",
    "pairs_above": "pairs of units whose |correlation| exceeds the bound",
    "gradient_information": "mean |dE/dW| of a layer, averaged over the training and "
    "converted to the paper's scaling",
    "gradient_inverted_scaling": "mean |dE/dW| under inverted scaling, without "
    "conversion",
    "gradient_per_example": "mean |dE/dW| of single examples at the best epoch, "
    "converted to the paper's scaling",
    "net_variance": "variance of pre-activations over 20 draws of all masks",
    "net_variance_conditional": "part of the net variance that the masks on the input "
    "of the layer cause (eq. 6)",
    "net_variance_passed_on": "part of the net variance that masks on earlier layers "
    "cause",
    "slope_gain": "mean phi'(z + noise) / mean phi'(z) over saturated units",
    "share_saturated": "share of pre-activations with phi' below 0.1",
    "sharpness": "largest eigenvalue of the Hessian of the noise-free loss on 512 "
    "training examples; residual: relative error of the eigenpair",
    "shift_correlation": "correlation of the shifts with the mean activities, per "
    "layer",
    "shift_slope": "least-squares slope of the shifts against the mean activities, per "
    "layer",
    "dead_share": "share of units that are 0 on every test example, per layer",
    "bound": "L(S) on the test examples, in nats (Noh et al. 2017, eq. 4)",
    "effective_samples": "1 / Σ w² of 8 importance weights, mean over 1,000 training "
    "examples",
    "prediction_error_percent": "test error of the noise-free pass, and of the mean "
    "prediction of 16 noise samples (monte_carlo)",
    "calibration_error_percent": "expected calibration error (15 bins) of the "
    "noise-free pass and of the mean prediction of 16 noise samples (monte_carlo)",
    "residual": "relative squared distance to the target activations before and after "
    "back-projection, median over samples; diverged: share of samples whose distance "
    "increased",
    "distance_spread": "standard deviation / mean of the distances |x* - x| for one "
    "input",
    "nearest_class_kept": "share of x* whose nearest training input has the class of "
    "x; /x: the same share for the inputs x",
    "others_changed": "relative squared change of the other units, at x* and after "
    "subtracting the filter of the unit until it is off; medians",
    "class_accuracy_percent": "mean over classes of the accuracy on the test examples",
    "sum_accuracy_percent": "accuracy of the class with the largest sum of the scores "
    "of both streams",
    "bleu_1": "BLEU-1 of greedy captions of the test images, times 100",
    "bleu_2": "BLEU-2 of greedy captions of the test images, times 100",
    "bleu_3": "BLEU-3 of greedy captions of the test images, times 100",
    "bleu_4": "BLEU-4 of greedy captions of the test images, times 100",
    "rouge_l": "ROUGE-L, times 100",
    "meteor": "METEOR, times 100; not measured if Java is not installed",
    "cider": "CIDEr, times 100",
    "answer_percent": "share of test questions for which the prediction is the most "
    "frequent human answer, by type of that answer",
    "open_ended_percent": "VQA accuracy, min(n / 3, 1) for an answer that n people "
    "gave, averaged over subsets of nine of the ten people, by type of the answer",
    "multiple_choice_percent": "VQA accuracy of the likeliest of the given choices",
    "dropped_share": "share of dropped units: near_rate, P(within 0.05 of p); "
    "above_rate, P(above p); unevenness, standard deviation / mean of P below p - 0.1; "
    "draws_off, total variation distance between draws and exact distribution",
    "acceleration": "largest: max |g| K; slope: slope of g between its jumps",
    "shape": "s(x) at a pre-activation x",
}
"""Metric -> meaning. In full names, a slash and a layer or a bound follow."""

MEASUREMENTS = {
    "activation_zeros": "pre-activations at which each activation is 0, on a grid",
    "dropped_share_density": "probability that k of n units are dropped, exact and as "
    "a histogram of draws",
    "gaaf_functions": "g(x) and the shape functions, with their slopes",
    "back_projected_samples": "inputs whose noise-free features equal the noisy "
    "features",
    "units_shut_off": "back-projections with each of the five most active units shut "
    "off",
    "correlation_counts": "Pearson correlations of units on the test examples",
    "gradient_information": "mean |gradient| of each weight matrix through training",
    "net_variances": "variances of pre-activations over 20 draws, one batch of 128",
    "slopes_under_noise": "phi' with and without noise, as a function of the "
    "pre-activation",
    "net_values": "distributions of pre-activations on the test examples, per layer",
    "shift_images": "mean input and learned shifts of the input, as images",
    "shift_against_activity": "shifts against mean activities, per layer",
    "learning_curves": "errors and losses by epoch",
    "two_streams": "accuracy per class, and accuracy of the plain sum of the two "
    "streams",
    "captions": "scores of captions of the test images, by pycocoevalcap",
    "answers": "accuracies of the answers to the test questions",
    "dead_units": "units that are 0 on every test example",
    "sharpness": "largest eigenvalue of the Hessian of the training loss",
    "noise_samples": "bound, Monte-Carlo prediction, calibration, effective samples",
}
"""Measurement -> meaning."""
