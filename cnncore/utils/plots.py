"""Pictures of trainings, filters, feature maps and predictions, as matplotlib figures."""
import math

import numpy as np

TRAINING, VALIDATION = "#2f6cb3", "#d9722e"  # a blue and an orange that colour-blind people tell apart too
_RIGHT, _WRONG = "#2c7a4b", "#b3332f"


def figure(width, height):
    """A new matplotlib figure of so many inches, whose parts keep clear of each other.

    It belongs to pyplot, so that `plt.show()` shows it; but not in a notebook, which shows what a cell returns and would
    show it twice.

    Raises:
        ImportError: matplotlib is not installed.
    """
    try:
        import matplotlib
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError("Pictures are drawn by matplotlib, which is not installed: pip install 'cnncore[viz]'") from error
    made = pyplot.figure(figsize=(width, height), layout="constrained")
    if "inline" in str(matplotlib.get_backend()):
        pyplot.close(made)
    return made


# ---- trainings ---------------------------------------------------------------------------------------------------

def plot_history(history, epochs=None):
    """A training as curves over its epochs: one picture for each metric, with that of the validation beside it.

    Args:
        history: dict from names to lists of one number per epoch, such as `History.history`.
        epochs: the epochs' numbers from 0; 0, 1, ... by default.

    Returns:
        matplotlib figure.

    Raises:
        ValueError: there is nothing to draw.
        ImportError: matplotlib is not installed.
    """
    from matplotlib.ticker import MaxNLocator

    names = [name for name in history if not (name.startswith("val_") and name[4:] in history)]
    names.sort(key=lambda name: name != "loss")  # first, and the others as they come
    if not names or not len(history[names[0]]):
        raise ValueError("There must be an epoch to draw. Received: a history without any; call fit first")
    columns = min(3, len(names))
    rows = math.ceil(len(names) / columns)
    made = figure(4.6 * columns, 3.4 * rows)
    for i, name in enumerate(names):
        axes = made.add_subplot(rows, columns, i + 1)
        for key, colour, label in ((name, TRAINING, "training"), (f"val_{name}", VALIDATION, "validation")):
            values = np.asarray(history.get(key, []), dtype=float)
            if not values.size:
                continue
            # A second fit goes on with the history, and a validation need not follow every epoch.
            x = np.arange(1, values.size + 1) if epochs is None or len(epochs) != values.size else np.array(epochs) + 1
            axes.plot(x, values, color=colour, label=label, marker="o" if values.size < 30 else None, markersize=3.5)
        if f"val_{name}" in history:
            axes.legend(frameon=False)
        axes.set_title(name.replace("_", " "))
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        left, right = axes.get_xlim()
        if right - left < 1:  # a single epoch
            axes.set_xlim(left - 0.5, right + 0.5)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    return made


# ---- filters and feature maps ------------------------------------------------------------------------------------

def plot_filters(layer, filters=32, channel=None, columns=8):
    """The filters of a convolution as small pictures: in colour where they look at three channels, else one channel of
    each, red above 0 and blue below. All have one scale; what is far stronger than most filters is cut off.

    Args:
        layer: layer whose first weight is a kernel (height, width, channels, filters), such as Conv2D.
        filters: how many filters to show at most.
        channel: which of the input's channels to show; None shows three as colours, and the first one of others.
        columns: pictures in a row.

    Returns:
        matplotlib figure.

    Raises:
        ValueError: the layer has no such weight, or no such channel.
        ImportError: matplotlib is not installed.
    """
    weights = [np.asarray(weight) for weight in getattr(layer, "weights", ())]
    if not weights or weights[0].ndim != 4:
        raise ValueError("layer is a convolution over images that has its weights. Received: "
                         f"{layer!r}; pass e.g. model.layers[0], of a model that is built")
    kernel = weights[0]
    height, width, channels, count = kernel.shape
    if channel is not None and not 0 <= channel < channels:
        raise ValueError(f"channel is one of the layer's {channels} input channels, from 0 on. Received: channel="
                         f"{channel!r}")
    colour = channel is None and channels == 3
    shown = min(count, filters)
    pictures = kernel[..., :shown] if colour else kernel[:, :, channel or 0, :shown]
    of = "" if shown == count else f" of {count}"
    what = "" if colour or channels == 1 else f", input channel {channel or 0} of {channels}"
    made, axes = _grid(shown, columns, f"{layer.name}: {shown}{of} filters {height}×{width}{what}")
    # One scale for all, where a single filter that is far stronger than the others does not take their colours away.
    strengths = np.abs(pictures).reshape(-1, shown).max(axis=0)
    limit = min(strengths.max(), 1.5 * np.median(strengths)) or 1
    for i, one in enumerate(axes):
        if colour:
            one.imshow((np.clip(kernel[..., i] / limit, -1, 1) + 1) / 2)
        else:
            one.imshow(pictures[..., i], cmap="RdBu_r", vmin=-limit, vmax=limit)
    return made


def _grid(count, columns, title, size=1.05, extra=0.0):
    """(figure, axes without ticks) for so many small pictures."""
    columns = max(1, min(columns, count))
    rows = math.ceil(count / columns)
    made = figure(max(columns * size + 0.2, 3.2), rows * (size + extra) + 0.5)
    made.suptitle(title, fontsize=10)
    axes = [made.add_subplot(rows, columns, i + 1) for i in range(count)]
    for one in axes:
        one.set_xticks([])
        one.set_yticks([])
        for spine in one.spines.values():
            spine.set_color("#cccccc")
    return made, axes


def plot_feature_maps(model, image, layers=None, maps=8):
    """What the layers of a model make of an image: a row of pictures for each layer, one for each of its first channels.

    Args:
        model: Sequential or functional model.
        image: one input, (height, width, channels) or a batch of one.
        layers: names or numbers of the layers to show; by default all that make images.
        maps: how many channels to show at most.

    Returns:
        matplotlib figure.

    Raises:
        ValueError: the model is of another kind, or none of its layers makes images.
        ImportError: matplotlib is not installed.
    """
    from cnncore import Model
    from cnncore.layers import InputLayer

    try:
        inputs = model.inputs
    except AttributeError:
        inputs = None
    if not inputs or len(inputs) != 1:
        raise ValueError("Feature maps need a Sequential or functional model with one input, built. Received: "
                         f"{model!r}; for a subclassed model, call its layers yourself and show their outputs")
    known = [layer for layer in model.layers if not isinstance(layer, InputLayer) and len(_shape_of(layer)) == 4]
    if layers is not None:
        known = [model.get_layer(one) if isinstance(one, str) else model.get_layer(index=one) for one in layers]
    wrong = [layer.name for layer in known if len(_shape_of(layer)) != 4]
    if wrong or not known:
        raise ValueError("Feature maps are the outputs of layers that make images (batch, height, width, channels). "
                         f"Received: {', '.join(wrong) or 'a model without any'}")
    x = np.asarray(image, "float32")
    wanted = inputs[0].shape
    if x.ndim == len(wanted) - 1:
        x = x[None]
    elif x.ndim == 2:
        x = x[None, ..., None]
    outputs = Model(inputs[0], [layer.output for layer in known]).predict(x[:1], verbose=0)
    outputs = outputs if isinstance(outputs, list) else [outputs]
    columns = min(maps, max(output.shape[-1] for output in outputs))
    made = figure(columns * 1.05 + 1.5, len(known) * 1.15 + 0.2)
    for row, (layer, output) in enumerate(zip(known, outputs)):
        for column in range(min(columns, output.shape[-1])):
            axes = made.add_subplot(len(known), columns, row * columns + column + 1)
            axes.imshow(output[0, ..., column], cmap="viridis")
            axes.set_xticks([])
            axes.set_yticks([])
            if column == 0:
                axes.set_ylabel(f"{layer.name}\n{'×'.join(map(str, output.shape[1:]))}", fontsize=8, rotation=0,
                                ha="right", va="center")
    return made


def _shape_of(layer):
    """The shape of what a layer makes; () where that is none, or several."""
    try:
        return tuple(getattr(layer.output, "shape", ()))
    except AttributeError:
        return ()


# ---- predictions -------------------------------------------------------------------------------------------------

def class_numbers(values, name):
    """Classes as whole numbers, out of numbers, one-hot vectors, probabilities of classes, or of one class (n, 1)."""
    values = np.asarray(values)
    if values.ndim == 2 and values.shape[1] > 1:
        return values.argmax(axis=1)
    values = values.reshape(len(values), -1)
    if values.shape[1:] != (1,):
        raise ValueError(f"{name} holds a class, or the probabilities of all classes, for each sample. Received: shape "
                         f"{np.shape(values)}")
    values = values[:, 0]
    if values.dtype.kind == "f" and not np.array_equal(values, np.rint(values)):
        return (values > 0.5).astype(int)
    return values.astype(int)


def plot_confusion_matrix(y_true, y_pred, class_names=None, normalize=False):
    """How often each class was taken for each: rows are what is, columns what was predicted.

    Args:
        y_true: classes (n,) or (n, 1), or one-hot vectors (n, classes).
        y_pred: likewise, or probabilities, such as `predict` returns.
        class_names: names of the classes; numbers by default.
        normalize: whether numbers are shares of their rows, in percent.

    Returns:
        matplotlib figure.

    Raises:
        ValueError: the two have other lengths, or there are more classes than names.
        ImportError: matplotlib is not installed.
    """
    true, predicted = class_numbers(y_true, "y_true"), class_numbers(y_pred, "y_pred")
    if len(true) != len(predicted) or not len(true):
        raise ValueError(f"y_true and y_pred have one entry for each sample. Received: {len(true)} and {len(predicted)}")
    count = max(int(max(true.max(), predicted.max())) + 1, len(class_names or ()),
                *(np.shape(y)[1] for y in (y_true, y_pred) if np.ndim(y) == 2 and np.shape(y)[1] > 1), 0)
    names = list(map(str, class_names if class_names is not None else range(count)))
    if len(names) < count or min(true.min(), predicted.min()) < 0:
        raise ValueError(f"Classes are from 0 to {len(names) - 1}. Received: classes from "
                         f"{min(true.min(), predicted.min())} to {count - 1}")
    counts = np.zeros((count, count), int)
    np.add.at(counts, (true, predicted), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = min(max(3.6, 0.55 * count + 1.6), 14)
    made = figure(side + 0.6, side)
    axes = made.add_subplot()
    picture = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if count <= 30:
        for i in range(count):
            for j in range(count):
                if counts[i, j]:
                    text = f"{100 * shares[i, j]:.0f}" if normalize else str(counts[i, j])
                    colour = "white" if shares[i, j] > 0.55 else "#333333"
                    axes.text(j, i, text, ha="center", va="center", fontsize=8, color=colour)
    axes.set_xticks(range(count), names, rotation=45 if max(map(len, names)) > 3 else 0,
                    ha="right" if max(map(len, names)) > 3 else "center", fontsize=8 if count <= 30 else 4)
    axes.set_yticks(range(count), names, fontsize=8 if count <= 30 else 4)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title(f"{np.trace(counts)} of {len(true)} right ({100 * np.trace(counts) / len(true):.1f} %)", fontsize=10)
    made.colorbar(picture, ax=axes, shrink=0.7, label="share of the true class")
    return made


def plot_predictions(model, images, labels=None, class_names=None, count=20, columns=5):
    """Images with what a model takes them for, and how sure it is; with labels, green where that is right and red, with
    what it should be, where it is wrong.

    Args:
        model: model with one output of class probabilities, or an array of its predictions for the images.
        images: inputs of the model, (n, height, width, channels) or (n, height, width).
        labels: classes or one-hot vectors of the images; None where they are not known.
        class_names: names of the classes; numbers by default.
        count: how many images to show, the first ones.
        columns: images in a row.

    Returns:
        matplotlib figure.

    Raises:
        ValueError: there are no images, or the lengths differ.
        ImportError: matplotlib is not installed.
    """
    images = np.asarray(images)
    if images.ndim not in (3, 4) or not len(images):
        raise ValueError("images is a batch of images, (n, height, width, channels). Received: shape "
                         f"{images.shape}" + ("; put a single image into a batch, x[None]" if images.ndim == 2 else ""))
    shown = images[:count]
    predictions = np.asarray(model.predict(shown, verbose=0) if hasattr(model, "predict") else model)[:len(shown)]
    classes = class_numbers(predictions, "the model's output")
    right = None if labels is None else class_numbers(labels, "labels")[:len(shown)]
    if len(classes) != len(shown) or right is not None and len(right) != len(shown):
        raise ValueError(f"There is a prediction, and a label, for each image. Received: {len(classes)} predictions"
                         + ("" if right is None else f" and {len(right)} labels") + f" for {len(shown)} images")
    title = "predictions" if right is None else f"{int((classes == right).sum())} of {len(shown)} right"
    made, axes = _grid(len(shown), columns, title, 1.5, 0.35)

    def name(number):
        return str(number if class_names is None else class_names[number])

    for i, one in enumerate(axes):
        _show(one, shown[i])
        sure = ""
        if predictions.ndim == 2 and predictions.shape[1] > 1:
            sure = f": {100 * predictions[i].max():.0f} %"
        elif predictions.dtype.kind == "f":
            p = float(predictions.reshape(len(shown), -1)[i, 0])
            sure = f": {100 * max(p, 1 - p):.0f} %"
        wrong = right is not None and classes[i] != right[i]
        text = name(classes[i]) + sure + (f"\n(is {name(right[i])})" if wrong else "")
        one.set_title(text, fontsize=8, color="#333333" if right is None else _WRONG if wrong else _RIGHT)
    return made


def _show(axes, image):
    """One image, grey or in colour, from 0 to 1, 0 to 255 or in any other range."""
    image = np.asarray(image, "float32")
    low, high = float(image.min()), float(image.max())
    if low < 0 or high > 255:
        image = (image - low) / max(high - low, 1e-12)
    elif high > 1:
        image = image / 255
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[..., 0]
    axes.imshow(image, cmap="gray" if image.ndim == 2 else None, vmin=0, vmax=1)
