"""What all networks of `applications` share: Keras's arguments, their checks, the head and the weights."""
import inspect
import os
import textwrap
import warnings

from cnncore import activations
from cnncore.applications import weights as files
from cnncore.layers import Dense, GlobalAveragePooling2D, GlobalMaxPooling2D, Input
from cnncore.models.functional import Functional, _nodes_before
from cnncore.saving.model_io import load_body, load_weights
from cnncore.symbolic import KerasTensor

_DOCUMENTATION = """{summary}

{paper}

    Args:{own}
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


def documented(summary, paper, example, size=224, least=32, weights=True, **own):
    """A decorator that documents the public function of a network.

    Args:
        summary: a line.
        paper: where it was published.
        example: a doctest's expression and its result.
        size: height and width of the images it was made for, or their whole shape.
        least: smallest height and width.
        weights: whether weights for ImageNet are published.
        own: what is to be said about arguments that only this network has.
    """
    known = "'imagenet' for those of Keras, " if weights else ""
    given = f"{known}None for random ones, or the path of a '.weights.h5', '.keras', '.h5' or '.safetensors' file."
    lines = [textwrap.fill(f"{name}: {text}", 116, initial_indent=" " * 8, subsequent_indent=" " * 12)
             for name, text in own.items()]

    def decorate(function):
        function.__doc__ = _DOCUMENTATION.format(
            summary=summary, paper=textwrap.indent(textwrap.fill(paper, 116), "    "), weights=given,
            own="".join(f"\n{line}" for line in lines), shape=size if isinstance(size, tuple) else (size, size, 3),
            least=least, example=example[0], result=example[1])
        return function

    return decorate


class Architecture:
    """A network's recipe: its body and its classifier, and what inputs and weights it takes.

    Args:
        body: function from images, a KerasTensor, to features.
        size: height and width of the images it was made for.
        least: smallest height and width.
        top: function of features, the number of classes and the activation that adds the classifier.
        channels: of the images it was made for.
        poolings: names of the layers that `pooling` adds, for 'avg' and for 'max'; None for automatic ones.
        weights: name under which Keras publishes weights, or their `weights.Source`; None where there are none.
        classes: how many classes it was made for.
        any_size: whether the classifier too takes images of any size.
        published_body: the body that the published weights belong to, where it is another.
    """

    def __init__(self, body, size=224, least=32, top=average_then_dense, channels=3, poolings=("avg_pool", "max_pool"),
                 weights=None, classes=1000, any_size=False, published_body=None):
        self.body, self.size, self.least, self.top, self.channels = body, size, least, top, channels
        self.poolings, self.weights, self.classes, self.any_size = poolings, weights, classes, any_size
        self.published_body = published_body or body

    def __call__(self, include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name):
        """The model, with its weights."""
        self._check(include_top, weights, pooling, classes, classifier_activation, name)
        shape = self._shape(input_shape, include_top, weights, name)
        if input_tensor is not None and not isinstance(input_tensor, KerasTensor):
            raise ValueError(f"{name}: input_tensor is a KerasTensor, as Input makes it. Received: "
                             f"{type(input_tensor).__name__}")
        path = files.imagenet(self.weights, include_top) if weights == "imagenet" else weights
        images = Input(shape=shape) if input_tensor is None else input_tensor
        x = (self.published_body if weights == "imagenet" else self.body)(images)
        if include_top:
            x = self.top(x, classes, classifier_activation)
        elif pooling == "avg":
            x = GlobalAveragePooling2D(name=self.poolings[0])(x)
        elif pooling == "max":
            x = GlobalMaxPooling2D(name=self.poolings[1])(x)
        model = Functional(images if input_tensor is None else _sources(input_tensor), x, name=name)
        if path is not None:
            (load_weights if include_top else load_body)(model, path)
        return model

    def _check(self, include_top, weights, pooling, classes, activation, name):
        if weights == "imagenet" and self.weights is None:
            raise ValueError(f"{name}: weights for ImageNet are not published. Received: weights='imagenet'; use None, or "
                             "the path of a file of your own")
        given = isinstance(weights, (str, os.PathLike))
        if weights is not None and weights != "imagenet" and not (given and os.path.exists(weights)):
            raise ValueError(f"{name}: weights is None, 'imagenet' or the path of a file. Received: weights={weights!r}"
                             + (", and there is no such file" if given else ""))
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
        default, fixed = (self.size, self.size, self.channels), include_top and not self.any_size
        if given is None:
            return default if fixed else (None, None, self.channels)
        shape = tuple(given)
        if len(shape) != 3:
            raise ValueError(f"{name}: input_shape is (height, width, channels). Received: input_shape={given!r}")
        if weights == "imagenet" and (shape != default if fixed else shape[2] != 3):
            wanted = default if fixed else "(height, width, 3)"
            raise ValueError(f"{name}: with weights='imagenet' and include_top={include_top}, input_shape is {wanted}. "
                             f"Received: input_shape={given!r}")
        if any(n is not None and n < self.least for n in shape[:2]):
            raise ValueError(f"{name}: images are at least {self.least} x {self.least} pixels. Received: input_shape="
                             f"{given!r}")
        if fixed and None in shape:
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

        build.__name__ = build.__qualname__ = function
        build.__module__ = inspect.currentframe().f_back.f_globals["__name__"]
        return documented(summary, paper, example, (self.size, self.size, self.channels), self.least,
                          self.weights is not None)(build)


def _sources(tensor):
    """The inputs that a KerasTensor comes from."""
    return [leaf for node in _nodes_before([tensor], set()) if not node.input_tensors for leaf in node.output_tensors]
