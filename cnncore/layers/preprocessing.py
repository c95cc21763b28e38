"""Layers that prepare data without chance: rescaling, normalization, resizing and cropping."""
import math

import numpy as np

from cnncore import config, ops
from cnncore.layers import checks
from cnncore.layers.layer import Layer
from cnncore.ops import image
from cnncore.tensor import Tensor


class Rescaling(Layer):
    """Values times a factor, plus an offset, as in `Rescaling(1 / 255)`.

    Args:
        scale: number, or list of numbers, one for each channel.
        offset: likewise.

    Input shape: any.
    Output shape: the same.

    Example:
        >>> import cnncore, numpy as np
        >>> cnncore.layers.Rescaling(1 / 255)(np.array([0, 255], "uint8")).numpy()
        array([0., 1.], dtype=float32)
    """

    _takes_one = _casts_inputs = True

    def __init__(self, scale, offset=0.0, **kwargs):
        super().__init__(**kwargs)
        for name, value in (("scale", scale), ("offset", offset)):
            if np.asarray(value).dtype.kind not in "biuf":
                raise ValueError(f"Rescaling: {name} must be a number, or a list of numbers. Received: {name}={value!r}")
        self.scale, self.offset = scale, offset
        self.supports_masking = True

    def call(self, inputs):
        scaled = inputs * _constant(self.scale)
        return scaled if np.ndim(self.offset) == 0 and self.offset == 0 else scaled + _constant(self.offset)

    def get_config(self):
        return {**super().get_config(), "scale": _plain(self.scale), "offset": _plain(self.offset)}


def _constant(value):
    return float(value) if np.ndim(value) == 0 else Tensor(np.asarray(value, "float32"))


def _plain(value):
    """A value as files can hold it."""
    return np.asarray(value).tolist() if isinstance(value, (np.ndarray, np.generic, Tensor)) else value


class Normalization(Layer):
    """Shifts and scales values to mean 0 and standard deviation 1, by statistics of data that it was adapted to.

    Args:
        axis: the axis or axes that keep statistics of their own, -1 for each channel; None for one mean over all.
        mean, variance: the statistics, where they are known; else `adapt` computes them.
        invert: whether to go the other way: from normalized values back.

    Input shape: any with the axes.
    Output shape: the same.

    Raises:
        ValueError: an argument or an input does not fit.

    Example:
        >>> import cnncore, numpy as np
        >>> layer = cnncore.layers.Normalization(axis=None)
        >>> layer.adapt(np.array([1.0, 2.0, 3.0]))
        >>> layer(np.array([2.0, 3.0])).numpy().round(3)
        array([0.   , 1.225], dtype=float32)
    """

    _takes_one = _casts_inputs = True

    def __init__(self, axis=-1, mean=None, variance=None, invert=False, **kwargs):
        super().__init__(**kwargs)
        self.axis = () if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
        self.invert, self.supports_masking = bool(invert), True
        if (mean is None) != (variance is None):
            raise ValueError("Normalization: mean and variance are given together. Received: "
                             f"mean={mean!r}, variance={variance!r}")
        if mean is not None and (np.shape(mean) != np.shape(variance) or np.ndim(mean) > max(len(self.axis), 0)):
            raise ValueError(f"Normalization: mean and variance have one shape, of at most {len(self.axis)} axes for "
                             f"axis={axis!r}. Received: shapes {np.shape(mean)} and {np.shape(variance)}")
        self.input_mean, self.input_variance = _plain(mean), _plain(variance)
        self.adapt_mean = self.adapt_variance = self.count = None

    def build(self, input_shape):
        rank = len(input_shape)
        if any(not -rank <= axis < rank for axis in self.axis):
            raise ValueError(f"{self._described()}: axis counts the input's axes. Received: axis={self.axis} for an "
                             f"input of shape {tuple(input_shape)}")
        kept = sorted(axis % rank for axis in self.axis)
        if any(input_shape[axis] is None for axis in kept):
            raise ValueError(f"{self._described()} must know the length of the axes {tuple(kept)}, which keep statistics. "
                             f"Received: shape {tuple(input_shape)}; give the Input that length")
        self._kept = tuple(kept)
        self._lengths = tuple(input_shape[axis] for axis in kept)
        self._broadcast = tuple(n if axis in kept else 1 for axis, n in enumerate(input_shape))
        if self.input_mean is None:
            self.adapt_mean = self.add_weight(self._lengths, "zeros", name="mean", trainable=False)
            self.adapt_variance = self.add_weight(self._lengths, "ones", name="variance", trainable=False)
            self.count = self.add_weight((), "zeros", dtype="int32", name="count", trainable=False)

    def _statistic(self, given, adapted):
        if given is None:
            return ops.reshape(adapted, self._broadcast)
        given = np.asarray(given, "float32")
        aligned = [1] * len(self._broadcast)
        for axis, n in zip(self._kept[::-1], given.shape[::-1]):
            aligned[axis] = n
        return Tensor(np.broadcast_to(given.reshape(aligned), self._broadcast))

    @property
    def mean(self):
        """The mean, in a shape that broadcasts to inputs; None before the layer is built."""
        return self._statistic(self.input_mean, self.adapt_mean) if self.built else None

    @property
    def variance(self):
        """The variance, likewise."""
        return self._statistic(self.input_variance, self.adapt_variance) if self.built else None

    def _check(self, shape):
        if self.built and self._lengths != tuple(shape[axis] for axis in self._kept if axis < len(shape)):
            raise ValueError(f"{self._described()} keeps statistics of shape {self._lengths} for the axes {self._kept}. "
                             f"Received: an input of shape {tuple(shape)}")

    def call(self, inputs):
        spread = ops.maximum(ops.sqrt(self.variance), config.epsilon())
        return inputs * spread + self.mean if self.invert else (inputs - self.mean) / spread

    def adapt(self, data):
        """Computes mean and variance of data.

        Args:
            data: array or tensor; or something that gives batches: a `Dataset`, a generator or a list of arrays. Of a batch
                (x, y) x is taken.

        Raises:
            ValueError: there is no data, or it has another shape than the layer was built for.
            TypeError: the data is of another kind.
        """
        if isinstance(data, (np.ndarray, Tensor)):
            array = np.asarray(data)
            rows = max(1, (1 << 22) // max(1, math.prod(array.shape[1:])))  # so that no large copy is made
            whole = 0 in {axis % array.ndim for axis in self.axis} or not array.ndim
            batches = [array] if whole else (array[i:i + rows] for i in range(0, len(array), rows))
        elif hasattr(data, "__len__") and hasattr(data, "__getitem__") and not isinstance(data, (list, tuple)):
            batches = (data[i] for i in range(len(data)))
        elif hasattr(data, "__iter__"):
            batches = iter(data)
        else:
            raise TypeError(f"{self._described()} adapts to an array or to batches. Received: {type(data).__name__}")
        count, mean, squares = 0, 0.0, 0.0
        for batch in batches:
            batch = np.asarray(batch[0] if isinstance(batch, (tuple, list)) else batch)
            if not self.built:
                self._build_once((None, *batch.shape[1:]) if 0 not in {a % batch.ndim for a in self.axis} else batch.shape)
            self._check(batch.shape)
            axes = tuple(axis for axis in range(batch.ndim) if axis not in self._kept)
            n = math.prod(batch.shape[axis] for axis in axes)
            if not n:
                continue
            batch = batch.astype("float64")
            here = batch.mean(axis=axes)
            away = ((batch - np.expand_dims(here, axes)) ** 2).sum(axis=axes)
            squares = squares + away + (here - mean) ** 2 * (count * n / (count + n))
            mean = mean + (here - mean) * (n / (count + n))
            count += n
        if not count:
            raise ValueError(f"{self._described()} adapts to data. Received: none")
        if self.input_mean is not None:
            raise ValueError(f"{self._described()} was given its mean and variance, so it cannot be adapted. Received: a "
                             "call of adapt; leave mean and variance out")
        self.adapt_mean.assign(np.asarray(mean, "float32"))
        self.adapt_variance.assign(np.asarray(squares / count, "float32"))

    def get_config(self):
        return {**super().get_config(), "axis": self.axis, "invert": self.invert, "mean": self.input_mean,
                "variance": self.input_variance}


class ImageLayer(Layer):
    """What layers over images share: one image or a batch, channels last or first."""

    _takes_one = _casts_inputs = True

    def __init__(self, data_format=None, **kwargs):
        kwargs.pop("bounding_box_format", None)
        super().__init__(**kwargs)
        if data_format not in (None, "channels_last", "channels_first"):
            raise ValueError(f"{type(self).__name__}: data_format is 'channels_last' or 'channels_first'. Received: "
                             f"data_format={data_format!r}")
        self.data_format = data_format or config.image_data_format()

    def _check(self, shape):
        if len(shape) not in (3, 4):
            hint = "; give grey images a last axis, x[..., None]" if len(shape) == 2 else ""
            raise ValueError(f"{self._described()} takes images (height, width, channels), or a batch of them. Received: "
                             f"shape {tuple(shape)}{hint}")

    def _batched(self, inputs):
        """(a batch, channels last, and what turns a result back)."""
        return image.batched(inputs, self.data_format == "channels_first")


class Resizing(ImageLayer):
    """Images in another size.

    Args:
        height, width: the new size.
        interpolation: 'bilinear', 'nearest', 'bicubic', 'area', 'lanczos3', 'lanczos5', 'gaussian' or 'mitchellcubic'.
        crop_to_aspect_ratio: whether what does not fit the new proportions is cut off, instead of distorting the image.
        pad_to_aspect_ratio: whether the image is padded to the new proportions instead.
        fill_mode: 'constant'.
        fill_value: value of the padding.
        antialias: whether shrinking takes all the pixels into account that a new one covers.
        data_format: 'channels_last', the default, or 'channels_first'.

    Input shape: (batch, height, width, channels) or (height, width, channels).
    Output shape: the same with the new size.

    Raises:
        ValueError: an argument or an input does not fit.

    Example:
        >>> import cnncore, numpy as np
        >>> cnncore.layers.Resizing(4, 6)(np.zeros((2, 8, 8, 3), "float32")).shape
        (2, 4, 6, 3)
    """

    _casts_inputs = False

    def __init__(self, height, width, interpolation="bilinear", crop_to_aspect_ratio=False, pad_to_aspect_ratio=False,
                 fill_mode="constant", fill_value=0.0, antialias=False, data_format=None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.height = checks.whole(height, "Resizing", "height")
        self.width = checks.whole(width, "Resizing", "width")
        if interpolation not in image.METHODS:
            raise ValueError(f"Resizing: interpolation is one of {', '.join(image.METHODS)}. Received: "
                             f"interpolation={interpolation!r}")
        if fill_mode != "constant":
            raise ValueError(f"Resizing: fill_mode is 'constant'. Received: fill_mode={fill_mode!r}")
        if crop_to_aspect_ratio and pad_to_aspect_ratio:
            raise ValueError("Resizing: images are cropped or padded to the new proportions. Received: "
                             "crop_to_aspect_ratio=True and pad_to_aspect_ratio=True; choose one")
        self.interpolation, self.antialias = interpolation, bool(antialias)
        self.crop_to_aspect_ratio, self.pad_to_aspect_ratio = crop_to_aspect_ratio, pad_to_aspect_ratio
        self.fill_mode, self.fill_value = fill_mode, fill_value

    def call(self, inputs):
        return image.resize(inputs, (self.height, self.width), self.interpolation, self.antialias,
                            self.crop_to_aspect_ratio, self.pad_to_aspect_ratio, self.fill_mode, self.fill_value,
                            self.data_format)

    def compute_output_shape(self, input_shape):
        return _with_size(input_shape, self.height, self.width, self.data_format)

    def get_config(self):
        return {**super().get_config(), "height": self.height, "width": self.width, "interpolation": self.interpolation,
                "crop_to_aspect_ratio": self.crop_to_aspect_ratio, "pad_to_aspect_ratio": self.pad_to_aspect_ratio,
                "fill_mode": self.fill_mode, "fill_value": self.fill_value, "antialias": self.antialias,
                "data_format": self.data_format}


def _with_size(shape, height, width, data_format):
    """The shape of images in another size."""
    at = len(shape) - (3 if data_format == "channels_last" else 2)
    return (*shape[:at], height, width, *shape[at + 2:])


class CenterCrop(ImageLayer):
    """The middle of images; images that are smaller are resized to cover it.

    Args:
        height, width: size of the part that stays.
        data_format: 'channels_last', the default, or 'channels_first'.

    Input shape: (batch, height, width, channels) or (height, width, channels).
    Output shape: the same with the new size.

    Raises:
        ValueError: an argument or an input does not fit.
    """

    def __init__(self, height, width, data_format=None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.height = checks.whole(height, "CenterCrop", "height")
        self.width = checks.whole(width, "CenterCrop", "width")

    def call(self, inputs):
        x, back = self._batched(inputs)
        top, left = (x.shape[1] - self.height) // 2, (x.shape[2] - self.width) // 2
        if min(top, left) < 0:
            return image.resize(inputs, (self.height, self.width), crop_to_aspect_ratio=True,
                                data_format=self.data_format)
        return back(x[:, top:top + self.height, left:left + self.width, :])

    def compute_output_shape(self, input_shape):
        return _with_size(input_shape, self.height, self.width, self.data_format)

    def get_config(self):
        return {**super().get_config(), "height": self.height, "width": self.width, "data_format": self.data_format}
