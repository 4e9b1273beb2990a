"""Gradient acceleration in activation functions, GAAF (Hahn and Choi 2018, section 4).

A function g of tiny value and slope 1 is added to an activation: the value hardly
moves, the gradient gains the shape function s. Second derivatives through GAAF are
meaningless (g has slope 1 and steps): swap in the plain activation before taking a
Hessian.
"""

from noisejax.activations._accelerated import gaaf_relu as gaaf_relu
from noisejax.activations._accelerated import gaaf_sigmoid as gaaf_sigmoid
from noisejax.activations._accelerated import gaaf_tanh as gaaf_tanh
from noisejax.activations._acceleration import (
    gradient_acceleration as gradient_acceleration,
)
from noisejax.activations._gaaf import Activation as Activation
from noisejax.activations._gaaf import Gaaf as Gaaf
from noisejax.activations._gaaf import gaaf as gaaf
from noisejax.activations._shapes import exponential_shape as exponential_shape
from noisejax.activations._shapes import shifted_sigmoid_shape as shifted_sigmoid_shape
