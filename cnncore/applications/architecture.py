"""What all networks of `applications` share: Keras's arguments, their checks, the head and the weights."""
import inspect
import os
import textwrap
import warnings

from cnncore import activations
from cnncore.applications import weights as files
from cnncore.layers import Dense, GlobalAveragePooling2D, GlobalMaxPooling2D, Input
from cnncore.models.functional import Functional, _nodes_before
from cnncore.symbolic import KerasTensor

_DOCUMENTATION = """{summary}

{paper}

    Args:
        include_top: whether the network ends in its classifier.
        weights: {weights}
        input_tensor: KerasTensor to begin with, such as an `Input` that several networks share; a new one by default.
        input_shape: height, width and channels of an image; {shape} by default, and any size without the top. At
            least {least} pixels each way.
        pooling: what follows the last convolution without the top: None, 'avg' or 'max' over all pixels.
        classes: number of classes.
        classifier_activation: of the last layer; None for logits.
        name: of the model.

    Returns:
        A `cnncore.Model`.

    Raises:
        ValueError: arguments do not fit each other.
        OSError: weights cannot be read, or neither found nor downloaded.

    Example:
        >>> import cnncore
        >>> cnncore.applications.{example}
        {result}
    """


def average_then_dense(x, classes, activation):
    """The usual classifier: the mean over all pixels, then one dense layer."""
    x = GlobalAveragePooling2D(name="avg_pool")(x)
    return Dense(classes, activation=activation, name="predictions")(x)


class Architecture:
    """A network's recipe: its body and its classifier, and what inputs and weights it takes.

    Args:
        body: function from images, a KerasTensor, to features.
        size: height and width of the images it was made for.
        least: smallest height and width.
        top: function of features, the number of classes and the activation that adds the classifier.
        channels: of the images it was made for.
        poolings: names of the layers that `pooling` adds, for 'avg' and for 'max'; None for automatic ones.
        weights: name under which Keras publishes weights, None where there are none.
        classes: how many classes it was made for.
    """

    def __init__(self, body, size=224, least=32, top=average_then_dense, channels=3, poolings=("avg_pool", "max_pool"),
                 weights=None, classes=1000):
        self.body, self.size, self.least, self.top, self.channels = body, size, least, top, channels
        self.poolings, self.weights, self.classes = poolings, weights, classes

    def __call__(self, include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name):
        """The model, with its weights."""
        self._check(include_top, weights, pooling, classes, classifier_activation, name)
        shape = self._shape(input_shape, include_top, weights, name)
        if input_tensor is not None and not isinstance(input_tensor, KerasTensor):
            raise ValueError(f"{name}: input_tensor is a KerasTensor, as Input makes it. Received: "
                             f"{type(input_tensor).__name__}")
        images = Input(shape=shape) if input_tensor is None else input_tensor
        x = self.body(images)
        if include_top:
            x = self.top(x, classes, classifier_activation)
        elif pooling == "avg":
            x = GlobalAveragePooling2D(name=self.poolings[0])(x)
        elif pooling == "max":
            x = GlobalMaxPooling2D(name=self.poolings[1])(x)
        model = Functional(images if input_tensor is None else _sources(input_tensor), x, name=name)
        if weights == "imagenet":
            model.load_weights(files.imagenet(self.weights, include_top))
        elif weights is not None:
            model.load_weights(weights)
        return model

    def _check(self, include_top, weights, pooling, classes, activation, name):
        if weights == "imagenet" and self.weights is None:
            raise ValueError(f"{name}: weights for ImageNet are not published. Received: weights='imagenet'; use None, or "
                             "the path of a file of your own")
        if weights not in (None, "imagenet") and not os.path.exists(weights):
            raise ValueError(f"{name}: weights is None, 'imagenet' or the path of a file. Received: weights={weights!r}, "
                             "and there is no such file")
        if weights == "imagenet" and include_top and classes != 1000:
            raise ValueError(f"{name}: ImageNet has 1000 classes. Received: classes={classes} with weights='imagenet' and "
                             "include_top=True; use include_top=False and a classifier of your own")
        if pooling not in (None, "avg", "max"):
            raise ValueError(f"{name}: pooling is None, 'avg' or 'max'. Received: pooling={pooling!r}")
        if include_top and weights is not None and activations.get(activation) not in (
                activations.get("softmax"), activations.get(None)):
            raise ValueError(f"{name}: the classifier's activation is 'softmax' or None where weights are loaded. "
                             f"Received: classifier_activation={activation!r}")

    def _shape(self, given, include_top, weights, name):
        """The shape of one image, checked."""
        default = (self.size, self.size, self.channels)
        if given is None:
            return default if include_top else (None, None, self.channels)
        shape = tuple(given)
        if len(shape) != 3:
            raise ValueError(f"{name}: input_shape is (height, width, channels). Received: input_shape={given!r}")
        if weights == "imagenet" and (shape != default if include_top else shape[2] != 3):
            wanted = default if include_top else "(height, width, 3)"
            raise ValueError(f"{name}: with weights='imagenet' and include_top={include_top}, input_shape is {wanted}. "
                             f"Received: input_shape={given!r}")
        if any(n is not None and n < self.least for n in shape[:2]):
            raise ValueError(f"{name}: images are at least {self.least} x {self.least} pixels. Received: input_shape="
                             f"{given!r}")
        if include_top and None in shape:
            raise ValueError(f"{name}: with include_top=True the whole shape is known. Received: input_shape={given!r}")
        if shape[2] not in (1, 3):
            warnings.warn(f"{name} usually has images of 1 or 3 channels. Received: input_shape={given!r}", stacklevel=4)
        return shape

    def constructor(self, function, name, summary, paper, example):
        """The public function of this name, with Keras's arguments and its documentation: a line, the paper, and a
        doctest's expression with its result."""
        default = None if self.weights is None else "imagenet"

        def build(include_top=True, weights=default, input_tensor=None, input_shape=None, pooling=None,
                  classes=self.classes, classifier_activation="softmax", name=name):
            return self(include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name)

        known = "'imagenet' for those of Keras, " if self.weights else ""
        given = f"{known}None for random ones, or the path of a '.weights.h5', '.keras' or '.h5' file."
        build.__name__ = build.__qualname__ = function
        build.__module__ = inspect.currentframe().f_back.f_globals["__name__"]
        build.__doc__ = _DOCUMENTATION.format(
            summary=summary, paper=textwrap.indent(textwrap.fill(paper, 116), "    "), weights=given,
            shape=(self.size, self.size, self.channels), least=self.least, example=example[0], result=example[1])
        return build


def _sources(tensor):
    """The inputs that a KerasTensor comes from."""
    return [leaf for node in _nodes_before([tensor], set()) if not node.input_tensors for leaf in node.output_tensors]
