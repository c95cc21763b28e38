"""Every op again in float64 NumPy, plain loops and no cleverness: what the engine's results are compared with.

`X(operands, options)` is the forward pass and `X_vjp(dy, operands, options)` its vector-Jacobian product: always a
tuple, one gradient per differentiable operand in the order of the signature, None for an operand that is absent.
Activations are NHWC, convolution weights HWIO. Nothing here imports the engine.
"""

# ruff: noqa: F403 - each module's functions are the package's, so that a new op needs no second list.
from .activations import *
from .elementwise import *
from .losses import *
from .movement import *
from .normalization import *
from .optimizers import *
from .pooling import *
from .products import *
from .reductions import *
from .windows import *
