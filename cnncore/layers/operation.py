"""An operation of cnncore.ops as a layer: what arithmetic on KerasTensors becomes."""
import inspect

from cnncore.layers.layer import Layer
from cnncore.utils.naming import auto_name, to_snake_case

_TYPES = {"abs": "Absolute", "allclose": "AllClose", "divide": "TrueDivide", "getitem": "GetItem", "psnr": "PSNR",
          "hsv_to_rgb": "HSVToRGB", "rgb_to_grayscale": "RGBToGrayscale", "rgb_to_hsv": "RGBToHSV",
          "searchsorted": "SearchSorted"}  # where Keras has other words than `ops`
_OPERANDS = frozenset((
    "a", "array", "beta", "choicelist", "condition", "condlist", "constant_values", "coordinates", "data",
    "depthwise_kernel", "end_points", "gamma", "images", "index", "indices", "inputs", "kernel", "mean", "operands",
    "output", "pointwise_kernel", "predictions", "scale", "segment_ids", "sorted_sequence", "start", "start_points",
    "stop", "target", "targets", "transform", "updates", "value", "values", "variable", "variance", "weights", "x", "x1",
    "x2", "xs", "y"))

# Where Keras has the classes of its operations; files name them. `numpy` holds all others.
_MODULES = {
    "keras.src.ops.nn": (
        "adaptive_average_pool adaptive_max_pool average_pool binary_crossentropy categorical_crossentropy celu "
        "conv conv_transpose depth_to_space depthwise_conv elu gelu glu hard_shrink hard_sigmoid hard_silu "
        "hard_tanh leaky_relu log_sigmoid log_softmax max_pool moments multi_hot normalize one_hot psnr relu relu6 "
        "selu separable_conv sigmoid silu soft_shrink softmax softplus softsign space_to_depth "
        "sparse_categorical_crossentropy sparse_plus sparse_sigmoid sparsemax squareplus tanh_shrink threshold").split(),
    "keras.src.ops.math": "erf erfc erfinv in_top_k logsumexp rsqrt segment_sum top_k".split(),
    "keras.src.ops.core": "cast convert_to_tensor saturate_cast stop_gradient unstack".split(),
    "keras.src.ops.linalg": ["norm"],
    "keras.src.ops.image": (
        "affine_transform crop_images extract_patches gaussian_blur hsv_to_rgb map_coordinates pad_images "
        "perspective_transform resize rgb_to_grayscale rgb_to_hsv sobel_edges").split()}
_OWN = frozenset((  # operations that Keras has no class for, or one that is called in another way
    "avg_pool2d batch_norm_infer batch_norm_train batch_normalization conv2d conv2d_transpose dense "
    "depthwise_conv2d diagonal digitize dropout exponential full_like get_item global_avg_pool2d global_max_pool2d "
    "hard_swish isclose isin layer_normalization linear max_pool2d mish percentile quantile rms_normalization "
    "scatter_update select sigmoid_cross_entropy slice slice_update softmax_cross_entropy swish trace trapezoid").split())
_NEUTRAL = (None, False, 0, -1, "constant", "float32")  # values of arguments that only Keras has


def type_name(function):
    """The name of Keras's class for an operation: 'ExpandDims' for 'expand_dims'."""
    return _TYPES.get(function) or "".join(word.capitalize() for word in function.split("_"))


def names():
    """The names of all operations that can be part of a graph."""
    from cnncore import ops

    return [*ops.__all__, *_MODULES["keras.src.ops.image"]]


def function_of(name):
    """The function of an operation."""
    from cnncore import ops

    return getattr(ops if name in ops.__all__ else ops.image, name)


def parameters_of(function):
    """(names of the operands, {name of an option: its default}) of an operation."""
    found = inspect.signature(function_of(function)).parameters
    found = {name: one for name, one in found.items() if one.kind is not one.VAR_KEYWORD}
    return ([name for name in found if name in _OPERANDS],
            {name: one.default for name, one in found.items() if name not in _OPERANDS})


def takes_many(function):
    """Whether an operation takes any number of operands, one after the other."""
    return any(one.kind is one.VAR_POSITIONAL for one in inspect.signature(function_of(function)).parameters.values())


class Operation(Layer):
    """Calls a function of `cnncore.ops` in a functional model.

    Args:
        function: its name, such as 'add'.
        options: dict of its arguments that are no operands, such as an axis.

    Raises:
        ValueError: there is no such function, or it has no such arguments.
    """

    def __init__(self, function, options=None, name=None, **kwargs):
        if function not in names():
            raise ValueError(f"An Operation is a function of cnncore.ops. Received: function={function!r}")
        self._type_name = type_name(function)
        super().__init__(name=name or auto_name(to_snake_case(self._type_name)), **kwargs)
        self.function, self.options = function, dict(options or {})
        unknown = set(self.options) - set(parameters_of(function)[1])
        if unknown:
            raise ValueError(f"The options of {function!r} are {', '.join(parameters_of(function)[1]) or 'none'}. "
                             f"Received: {', '.join(sorted(unknown))}")
        self.built = True

    @classmethod
    def on(cls, function, args, kwargs):
        """The KerasTensors that an operation makes of these arguments."""
        bound = inspect.signature(function_of(function)).bind(*args, **kwargs)
        bound.apply_defaults()
        operands, options = parameters_of(function)
        given = [bound.arguments[name] for name in operands]
        if takes_many(function):
            (given,) = given
        return cls(function, {name: bound.arguments[name] for name in options})(*given)

    @classmethod
    def of_keras(cls, type_of_it, config):
        """The operation that a file of Keras names by its class.

        Raises:
            ValueError: there is no such operation here, or it has other arguments.
        """
        function = next((name for name in names() if name not in _OWN and type_name(name) == type_of_it), None)
        if function is None:
            raise ValueError(f"A file may name the operations of cnncore.ops. Received: {type_of_it!r} of keras.ops; "
                             "write a layer of your own for it")
        options = {key: value for key, value in config.items() if key in parameters_of(function)[1]}
        other = {key: value for key, value in config.items()
                 if key not in options and key not in ("name", "dtype") and value not in _NEUTRAL}
        if other:
            raise ValueError(f"{function!r} takes {', '.join(parameters_of(function)[1]) or 'no options'}. Received: "
                             f"{other} in a file; leave it out of the model")
        return cls(function, options, name=config.get("name"))

    def keras_form(self):
        """(module, class, configuration) under which Keras reads the operation; None where Keras has no such class."""
        if self.function in _OWN:
            return None
        module = next((module for module, names in _MODULES.items() if self.function in names), "keras.src.ops.numpy")
        return module, self._type_name, {"name": self.name, **self.options}

    def call(self, *args, **kwargs):
        if self.function == "getitem" and isinstance(args[1], list) and not all(isinstance(i, int) for i in args[1]):
            args = args[0], tuple(args[1])  # files know lists only; see KerasTensor.__getitem__
        function = function_of(self.function)
        bound = inspect.signature(function).bind_partial()
        operands = parameters_of(self.function)[0]
        bound.arguments.update(self.options)
        bound.arguments.update({operands[0]: args} if takes_many(self.function) else zip(operands, args), **kwargs)
        return function(*bound.args, **bound.kwargs)

    def get_config(self):
        return {**super().get_config(), "function": self.function, "options": self.options}
