"""Back-projection: the input that makes the noise-free network do what noise made it do
(Bouthillier et al. 2015)."""

from noisejax.backprojection._augmentation import agreement as agreement
from noisejax.backprojection._augmentation import class_distances as class_distances
from noisejax.backprojection._augmentation import distances as distances
from noisejax.backprojection._back_project import BackProjection as BackProjection
from noisejax.backprojection._back_project import back_project as back_project
from noisejax.backprojection._curvature import curvature as curvature
from noisejax.backprojection._from_optax import from_optax as from_optax
from noisejax.backprojection._gradient_descent import (
    gradient_descent as gradient_descent,
)
from noisejax.backprojection._method import Method as Method
from noisejax.backprojection._preconditioned import preconditioned as preconditioned
from noisejax.backprojection._preconditioner import Preconditioner as Preconditioner
from noisejax.backprojection._preconditioner import preconditioner as preconditioner
from noisejax.backprojection._stable_descent import stable_descent as stable_descent
