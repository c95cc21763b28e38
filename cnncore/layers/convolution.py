"""What convolutions of images and of sequences share: their arguments, their checks, their bias and activation."""
from cnncore import activations, ops
from cnncore.layers import checks
from cnncore.layers.arguments import take_in, written
from cnncore.layers.spatial import Spatial


class AnyConvolution(Spatial):
    """Windows, bias and activation: what all kinds of convolution share."""

    _what = ()  # the names of what a configuration holds
    _causal = False  # whether padding may be 'causal'
    bias = None

    def __init__(self, kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias, **kwargs):
        super().__init__(**kwargs)
        kind, rank = type(self).__name__, self._rank
        self.kernel_size = checks.sizes(kernel_size, kind, "kernel_size", rank)
        self.strides = checks.sizes(strides, kind, "strides", rank)
        self.padding = checks.padding(padding, kind, self._causal)
        self._set_format(data_format)
        self.dilation_rate = checks.sizes(dilation_rate, kind, "dilation_rate", rank)
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)

    def _only_strides_or_dilation(self):
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(f"{type(self).__name__}: strides and dilation_rate are not both larger than 1. Received: "
                             f"strides={self.strides}, dilation_rate={self.dilation_rate}; use 1 for one of them")

    def _channels(self):
        """How many channels of input the layer was built for."""
        return self.kernel.shape[self._rank]

    def _check(self, shape):
        super()._check(shape)
        checks.length(self, shape, self._channels() if self.built else None, "channels",
                      "give it inputs of that many, or use a layer of its own", self._channels_at)
        self._check_window(shape)

    def _check_window(self, shape):
        checks.window_fits(self, shape, self._lengths(shape), self.kernel_size, self.dilation_rate, "kernel_size")

    def _add_kernel(self, name, shape, prefix=None):
        prefix = prefix or name
        return self.add_weight(shape, getattr(self, f"{prefix}_initializer"), name=name,
                               regularizer=getattr(self, f"{prefix}_regularizer"),
                               constraint=getattr(self, f"{prefix}_constraint"))

    def _add_bias(self, channels):
        if self.use_bias:
            self.bias = self._add_kernel("bias", (channels,))

    def _filters(self, kernel):
        """A kernel as filters of images."""
        return ops.reshape(kernel, (1, *kernel.shape)) if self._rank == 1 else kernel

    @property
    def _fused(self):
        return "relu" if self.activation is activations.relu else None

    def _image_padding(self):
        """What two-dimensional convolution takes as padding."""
        if self.padding == "causal":
            return (0, 0), (self.dilation_rate[0] * (self.kernel_size[0] - 1), 0)
        return self.padding

    def call(self, inputs):
        y = super().call(inputs)
        return y if self._fused or self.activation is None else self.activation(y)

    def get_config(self):
        return {**super().get_config(), **written(self, *self._what, "bias_initializer", "bias_regularizer",
                                                  "activity_regularizer", "bias_constraint")}


class Convolution(AnyConvolution):
    """What Conv1D and Conv2D share."""

    _what = ("filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate", "groups", "activation",
             "use_bias", "kernel_initializer", "kernel_regularizer", "kernel_constraint")
    kernel = None

    def __init__(self, filters, kernel_size, strides, padding, data_format, dilation_rate, groups, activation, use_bias,
                 kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, activity_regularizer,
                 kernel_constraint, bias_constraint, **kwargs):
        super().__init__(kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias,
                         activity_regularizer=activity_regularizer, **kwargs)
        kind = type(self).__name__
        self.filters = checks.whole(filters, kind, "filters")
        self.groups = checks.whole(groups, kind, "groups")
        if self.filters % self.groups:
            raise ValueError(f"{kind}: filters must be a multiple of groups, as every group has as many. Received: "
                             f"filters={filters}, groups={groups}")
        self._only_strides_or_dilation()
        take_in(self, kernel_initializer=kernel_initializer, bias_initializer=bias_initializer,
                kernel_regularizer=kernel_regularizer, bias_regularizer=bias_regularizer,
                kernel_constraint=kernel_constraint, bias_constraint=bias_constraint)

    def _channels(self):
        return self.kernel.shape[self._rank] * self.groups

    def build(self, input_shape):
        self._check(input_shape)
        channels = input_shape[self._channels_at]
        if channels % self.groups:
            raise ValueError(f"{self._described()} splits its input's channels into {self.groups} groups, so they must "
                             f"be a multiple of that. Received: shape {tuple(input_shape)} with {channels}")
        self.kernel = self._add_kernel("kernel", (*self.kernel_size, channels // self.groups, self.filters))
        self._add_bias(self.filters)

    def _images(self, x):
        return ops.conv2d(x, self._filters(self.kernel), self.bias, self._wide(self.strides), self._image_padding(),
                          self._wide(self.dilation_rate), self._fused, self.groups)
