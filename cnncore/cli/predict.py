"""`cnncore predict`: what photos show, by a network trained on ImageNet or by a saved model, with a bar for each class."""
import inspect
import json
import os
import sys
from pathlib import Path

HELP = "Print the most likely classes of photos, with bars, by a network trained on ImageNet or by a saved model."
PIXELS = ("0-255", "0-1", "tf", "torch", "caffe")
_MODELS = (".keras", ".h5")  # endings of saved models
_COLOURS = {1: "grayscale", 3: "rgb", 4: "rgba"}
_SIDE = 224  # pixels each way that a photo is resized to where the network takes any size
_WIDTH = 30  # characters of a bar that stands for 100 %


def add_arguments(parser):
    parser.add_argument("photos", nargs="+", metavar="PHOTO", help="image files")
    parser.add_argument("--model", default="mobilenet", metavar="NAME|FILE",
                        help="a network of cnncore.applications, or a saved model (default: %(default)s)")
    parser.add_argument("--weights", metavar="FILE", help="weights of that network (default: those for ImageNet, where "
                        "CNNCORE_HOME/models or ~/.keras/models has them, else downloaded)")
    parser.add_argument("--alpha", type=float, help="width of a MobileNet (default: the widest whose weights are here, "
                        "else 1)")
    parser.add_argument("--top", type=_positive, default=5, help="how many classes (default: %(default)s)")
    parser.add_argument("--labels", type=Path, metavar="FILE", help="names of the classes: one on each line, or JSON as "
                        "Keras's imagenet_class_index.json (default: that file for 1000 classes, else numbers)")
    parser.add_argument("--pixels", choices=PIXELS, help="what a saved model, LeNet5 or a ResNet for CIFAR takes "
                        "(default: 0-255 if the model rescales or normalizes images itself, else 0-1)")


def _positive(text):
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def run(options):
    if not any(os.path.exists(path) for path in options.photos):  # rather than load or download a network for nothing
        print(f"cnncore: there is no photo {', '.join(map(str, options.photos))}", file=sys.stderr)
        return 1
    try:
        return predict(options)
    except OSError as error:
        raise OSError(_in_options(str(error))) from None


def _in_options(message):
    """A message with options of the command line where it advises arguments."""
    from cnncore.applications import imagenet_utils, weights

    return message.replace(weights.OTHERWISE, " Or give --weights FILE.").replace(imagenet_utils.OTHERWISE,
                                                                                  " Or give --labels FILE.")


def predict(options):
    """Prints what each photo shows; returns the exit status."""
    model, prepare, says = from_file(options) if options.model.endswith(_MODELS) else from_applications(options)
    rows, columns, channels = shape_of(model)
    names = labels(options.labels, model.output_shape[-1])
    console, failed = _console(), False
    console.print(says, style="dim")
    for path in options.photos:
        try:
            image = _read(path, rows, columns, channels)
        except (OSError, ValueError) as error:  # the other photos are worth looking at all the same
            missing = isinstance(error, FileNotFoundError)
            print(f"cnncore: {f'there is no photo {path}' if missing else error}", file=sys.stderr)
            failed = True
            continue
        scores = model.predict(prepare(image[None]), verbose=0)
        classes = best(scores, names, options.top)
        console.print(path, style="bold")
        console.print(table(classes, ascii_only=not console.encoding.startswith("utf")))
    return 1 if failed else 0


# ---- models ------------------------------------------------------------------------------------------------------

def from_applications(options):
    """(model, function that prepares images, a line about both) of a network by its name."""
    from cnncore import applications

    networks = {_bare(name): name for name in applications.__all__ if name[0].isupper()}
    name = networks.get(_bare(options.model))
    if name is None:
        raise ValueError(f"--model is a network or a file that ends in .keras or .h5. Received: {options.model}; use one "
                         f"of {', '.join(networks)}")
    make = getattr(applications, name)
    takes = inspect.signature(make).parameters
    own = getattr(sys.modules[make.__module__], "preprocess_input", None)
    if options.pixels and own:
        raise ValueError(f"--pixels goes with models that do not know what they take. Received: --pixels {options.pixels} "
                         f"with {name}, which prepares photos by its own preprocess_input")
    if options.alpha is not None and "alpha" not in takes:
        raise ValueError(f"--alpha goes with MobileNets. Received: --alpha {options.alpha:g} with --model {options.model}")
    if options.weights is None and takes["weights"].default is None:
        raise ValueError(f"{name}: weights for ImageNet are not published. Received: --model {options.model} without "
                         "--weights; give it a file, or a saved model to --model")
    given = {} if options.weights is None else {"weights": options.weights}
    alpha = options.alpha
    if name == "MobileNet" and alpha is None:
        alpha = width_of(options.weights) if given else widest_here()
    if alpha is not None:
        given["alpha"] = alpha
    model = make(**given)
    source = f"weights of {options.weights}" if options.weights else "weights for ImageNet"
    width = "" if alpha is None else f", alpha={alpha:g}"
    return model, own or preparing(options.pixels or "0-1"), f"{name}{width}, {source}"


def _bare(name):
    return name.lower().replace("_", "").replace("-", "")


def widest_here():
    """The greatest alpha of a MobileNet whose weights for ImageNet are on this machine; 1 where there are none."""
    from cnncore.applications import mobilenet, weights

    for alpha, word in sorted(mobilenet.ALPHAS.items(), reverse=True):
        if any((folder / f"mobilenet_{word}_224_tf.h5").is_file() for folder in weights.folders()):
            return alpha
    return 1.0


def width_of(path):
    """The alpha of a MobileNet's file by the name that Keras gives it, such as mobilenet_2_5_224_tf.h5; None for others."""
    from cnncore.applications import mobilenet

    name = os.path.basename(path)
    return next((alpha for alpha, word in mobilenet.ALPHAS.items() if name.startswith(f"mobilenet_{word}_")), None)


def from_file(options):
    """(model, function that prepares images, a line about both) of a saved model."""
    from cnncore import layers, saving

    for option in ("weights", "alpha"):
        if getattr(options, option) is not None:
            raise ValueError(f"--{option} goes with the name of a network. Received: --{option} "
                             f"{getattr(options, option)} with the file {options.model}")
    try:
        model = saving.load_model(options.model, compile=False)
    except ValueError as error:
        if "whole model" in str(error):
            raise ValueError(f"--model is a network's name or the file of a whole model. Received: {options.model}, which "
                             f"holds weights alone; use --model NAME --weights {options.model}") from None
        raise
    own = any(isinstance(layer, (layers.Rescaling, layers.Normalization)) for layer in model._walk())
    pixels = options.pixels or ("0-255" if own else "0-1")
    chosen = "" if options.pixels else "; --pixels says otherwise"
    return model, preparing(pixels), f"{options.model}, pixels {pixels}{chosen}"


def preparing(pixels):
    """A function that leads pixels from 0 to 255 to what a model takes, one of PIXELS."""
    from cnncore.applications.imagenet_utils import preprocess_input

    known = {"0-255": lambda x: x, "0-1": lambda x: x / 255}
    return known.get(pixels) or (lambda x: preprocess_input(x, mode=pixels))


def shape_of(model):
    """Height, width and channels of the images that a model takes; checks that it is one that classifies images."""
    shape, output = model.input_shape, model.output_shape
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[3] not in _COLOURS \
            or not isinstance(output, tuple) or len(output) != 2:
        raise ValueError("A model for photos takes (batch, height, width, channels) with 1, 3 or 4 channels, and gives "
                         f"(batch, classes). Received: {model.name}, which takes {shape} and gives {output}")
    return shape[1] or _SIDE, shape[2] or _SIDE, shape[3]


# ---- photos and classes ------------------------------------------------------------------------------------------

def _read(path, rows, columns, channels):
    from cnncore.utils import img_to_array, load_img

    return img_to_array(load_img(path, _COLOURS[channels], (rows, columns), "bilinear"))


def labels(path, classes):
    """What `decode_predictions` takes as `class_index`: the names in a file, None for ImageNet's, or numbers."""
    if path is None:
        return None if classes == 1000 else [(str(i), f"class {i}") for i in range(max(classes, 2))]
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        try:
            names = json.loads(text)
        except ValueError as error:
            raise ValueError(f"--labels is text or JSON. Received: {path}, which is damaged: {error}") from None
        if not isinstance(names, (dict, list)):
            raise ValueError(f"--labels holds a list or a dict of names. Received: {path} with a {type(names).__name__}")
    else:
        names = [line.strip() for line in text.splitlines() if line.strip()]
    if isinstance(names, list):
        names = [(str(i), name) if isinstance(name, str) else name for i, name in enumerate(names)]
    if len(names) != max(classes, 2):
        raise ValueError(f"--labels names every class. Received: {path} with {len(names)} names for {max(classes, 2)} "
                         "classes")
    return names


def best(scores, names, top):
    """(name, probability) of the most likely classes of one image."""
    import numpy as np

    from cnncore.applications.imagenet_utils import decode_predictions

    scores = np.asarray(scores, "float64")
    if scores.shape[1] == 1:  # one unit tells two classes apart
        p = scores if 0 <= scores.min() and scores.max() <= 1 else 1 / (1 + np.exp(-scores))
        scores = np.concatenate([1 - p, p], 1)
    elif scores.min() < 0 or abs(scores.sum() - 1) > 1e-3:  # logits
        scores = np.exp(scores - scores.max())
        scores /= scores.sum()
    return [(name, float(score)) for _, name, score in decode_predictions(scores, top, names)[0]]


# ---- output ------------------------------------------------------------------------------------------------------

def _console():
    from rich.console import Console

    return Console(highlight=False, markup=False, soft_wrap=True)


def table(classes, ascii_only=False):
    """Rows of name, probability and bar."""
    from rich.table import Table
    from rich.text import Text

    rows = Table.grid(padding=(0, 2))
    for justify in ("left", "right", "left"):
        rows.add_column(justify=justify, no_wrap=True)
    for i, (name, probability) in enumerate(classes):
        rows.add_row(Text(f"  {name}"), f"{100 * probability:.1f} %",
                     Text(bar(probability, ascii_only), style="green" if i == 0 else "cyan"))
    return rows


def bar(part, ascii_only=False):
    """A bar of a part of `_WIDTH` characters, to an eighth of one."""
    if ascii_only:
        return "#" * round(part * _WIDTH)
    eighths = round(8 * part * _WIDTH)
    return "█" * (eighths // 8) + ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")[eighths % 8]
