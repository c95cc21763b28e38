"""`cnncore train`: trains a known network on a known data set and leaves the model, its history and its curves."""
import csv
import math
from pathlib import Path

HELP = "Train a network on real images; ends with its test accuracy, a saved model and a picture of the curves."
DATA = ("mnist", "fashion_mnist", "cifar10", "digits")
EPOCHS = {"mnist": 5, "fashion_mnist": 10, "cifar10": 10, "digits": 40}


def add_arguments(parser):
    parser.add_argument("--model", choices=sorted(MODELS), default="lenet5", help="the network (default: %(default)s)")
    parser.add_argument("--data", choices=("auto", *DATA), default="auto",
                        help="the images; auto takes MNIST where it is at hand or can be fetched, else digits")
    parser.add_argument("--epochs", type=_positive, help="passes over the training images (default: by data set)")
    parser.add_argument("--batch-size", type=_positive, default=64, help="images per step (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the weights and the shuffling (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="folder for the results (default: runs/MODEL-DATA)")


def _positive(text):
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def run(options):
    import cnncore
    from cnncore import _core

    name, (train, test) = load(options.data)
    (x_train, y_train), (x_test, y_test) = prepare(train), prepare(test)
    epochs = options.epochs or EPOCHS[name]
    out = options.out or Path("runs") / f"{options.model}-{name}"
    out.mkdir(parents=True, exist_ok=True)

    threads = cnncore.get_num_threads()
    print(f"{options.model} on {name}: {len(x_train):,} training and {len(x_test):,} test images of "
          f"{'x'.join(map(str, x_train.shape[1:]))}, {epochs} epochs, batch size {options.batch_size}")
    print(f"CPU tier {_core.tier()}, {threads} thread{'s' if threads > 1 else ''}")

    cnncore.utils.set_random_seed(options.seed)
    model = MODELS[options.model](x_train.shape[1:], int(y_train.max()) + 1)
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.summary()
    steps = epochs * math.ceil(len(x_train) / options.batch_size)
    history = model.fit(x_train, y_train, options.batch_size, epochs, validation_data=(x_test, y_test),
                        callbacks=[_cosine_decay(steps)])

    accuracy = model.evaluate(x_test, y_test, verbose=0, return_dict=True)["accuracy"]
    model.save(out / "model.keras")
    write_history(history.history, out / "history.csv")
    saved = ["model.keras", "history.csv"]
    try:
        draw_curves(history.history, out / "curves.png", f"{options.model} on {name}")
        saved.append("curves.png")
    except ImportError:
        print("No curves.png: drawing needs matplotlib (pip install 'cnncore[viz]')")
    print(f"Test accuracy: {100 * accuracy:.2f} %")
    print(f"Saved to {out}: {', '.join(saved)}")
    return 0


# ---- data --------------------------------------------------------------------------------------------------------

def load(data):
    """(name, ((x_train, y_train), (x_test, y_test))) of a data set; 'auto' takes MNIST or says why not."""
    from importlib import import_module

    def load_data(name):
        return import_module(f"cnncore.datasets.{name}").load_data()

    if data != "auto":
        return data, load_data(data)
    try:
        return "mnist", load_data("mnist")
    except OSError as error:
        print(f"MNIST is not at hand and cannot be fetched, so the digits of scikit-learn are used instead.\n({error})")
        return "digits", load_data("digits")


def prepare(split):
    """Images as (n, height, width, channels) from 0 to 1, labels flat."""
    import numpy as np

    x, y = split
    x = x.reshape(*x.shape, 1) if x.ndim == 3 else x
    return x.astype(np.float32) / (16 if x.max() <= 16 else 255), y.reshape(-1)


# ---- models ------------------------------------------------------------------------------------------------------

def lenet5(input_shape, classes):
    """LeNet-5 with ReLU and max pooling, as tutorials build it (LeCun, Bottou, Bengio and Haffner 1998)."""
    from cnncore import Sequential, layers

    return Sequential([
        layers.Input(shape=input_shape),
        layers.Conv2D(6, 5, padding="same", activation="relu"),
        layers.MaxPooling2D(2),
        layers.Conv2D(16, 5, padding="same", activation="relu"),
        layers.MaxPooling2D(2),
        layers.Flatten(),
        layers.Dense(120, activation="relu"),
        layers.Dense(84, activation="relu"),
        layers.Dense(classes, activation="softmax"),
    ], name="lenet5")


MODELS = {"lenet5": lenet5}


def _cosine_decay(steps):
    """A callback that lowers the learning rate from 0.002 to nothing along half a cosine."""
    from cnncore.callbacks import Callback

    class CosineDecay(Callback):
        step = 0

        def on_train_batch_begin(self, batch, logs=None):
            self.model.optimizer.learning_rate = 0.001 * (1 + math.cos(math.pi * self.step / steps))
            self.step += 1

    return CosineDecay()


# ---- results -----------------------------------------------------------------------------------------------------

def write_history(history, path):
    """One row per epoch, one column per figure."""
    with open(path, "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["epoch", *history])
        rows.writerows([epoch, *figures] for epoch, figures in enumerate(zip(*history.values()), 1))


def draw_curves(history, path, title):
    """Loss and accuracy by epoch, training and test."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(10, 4), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    for axes, key in zip(figure.subplots(1, 2), ("loss", "accuracy")):
        epochs = range(1, len(history[key]) + 1)
        axes.plot(epochs, history[key], "o-", markersize=4, label="training")
        axes.plot(epochs, history[f"val_{key}"], "o-", markersize=4, label="test")
        axes.set(xlabel="epoch", ylabel=key)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=120)
