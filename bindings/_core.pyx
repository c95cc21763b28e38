# cython: language_level=3
"""The boundary between Python and C: memory, bound kernel calls, and the program that runs them."""
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset
from cnn cimport *
from cnn_depthwise cimport *
from cnn_elementwise cimport *
from cnn_layers cimport *
from cnn_order cimport *
from cnn_images cimport *

import numpy as np
cimport numpy as cnp

cnp.import_array()

include "memory.pxi"
include "calls.pxi"
include "program.pxi"
include "kernels_conv.pxi"
include "kernels_depthwise.pxi"
include "kernels_layers.pxi"
include "kernels_elementwise.pxi"
include "kernels_images.pxi"
include "kernels_order.pxi"
include "fusion.pxi"
include "masks.pxi"
