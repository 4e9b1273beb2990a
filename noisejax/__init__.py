"""noisejax: training with noise in JAX and Flax."""
