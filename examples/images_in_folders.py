"""Trains on image files in folders, one folder for each class: your own, or CIFAR-10's animals written out as files."""
import argparse
import os

from cnncore import Input, Sequential, layers, models, utils
from cnncore.datasets import cifar10

ANIMALS = ("bird", "cat", "deer", "dog", "frog", "horse")


def write_animals(folder, count):
    """Writes so many images of each kind of animal into folders named after them."""
    (x, y), _ = cifar10.load_data()
    for name in ANIMALS:
        os.makedirs(os.path.join(folder, name), exist_ok=True)
        for i, image in enumerate(x[y[:, 0] == cifar10.CLASSES.index(name)][:count]):
            utils.save_img(os.path.join(folder, name, f"{i:04}.png"), image, scale=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few seconds on a part of the data")
    parser.add_argument("--out", default="out", help="folder for the model and pictures")
    parser.add_argument("--folder", help="folder with a folder of images for each class; animals by default")
    parser.add_argument("--size", type=int, default=32, help="height and width that images are resized to")
    options = parser.parse_args()
    folder = options.folder or os.path.join(options.out, "animals")
    os.makedirs(options.out, exist_ok=True)
    if not options.folder and not os.path.isdir(folder):
        write_animals(folder, 40 if options.quick else 1000)
    utils.set_random_seed(8)

    # The same seed for both parts, so that no file is in both.
    train, validation = utils.image_dataset_from_directory(
        folder, image_size=(options.size, options.size), batch_size=32, validation_split=0.2, subset="both", seed=8)
    names = train.class_names
    for images, labels in train.take(1):
        print("A batch:", images.shape, labels.shape, "of the classes", ", ".join(names))

    model = Sequential([
        Input(shape=(options.size, options.size, 3)),
        layers.RandomFlip("horizontal"),
        layers.RandomRotation(0.05),
        layers.RandomZoom(0.1),
        layers.RandomContrast(0.2),
        layers.Rescaling(1 / 255),
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(64, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(64, 3, activation="relu"),
        layers.GlobalAveragePooling2D(),
        layers.Dropout(0.3),
        layers.Dense(len(names), activation="softmax"),
    ])
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(train, validation_data=validation, epochs=1 if options.quick else 25)
    history.plot().savefig(os.path.join(options.out, "folders_history.png"))

    path = os.path.join(options.out, "folders.keras")
    model.save(path)
    file = validation.file_paths[0]
    image = utils.img_to_array(utils.load_img(file, target_size=(options.size, options.size)))
    probabilities = models.load_model(path).predict(image[None], verbose=0)[0]
    print(f"{file} shows a {names[probabilities.argmax()]}, with a probability of {probabilities.max():.0%}")
    images, labels = next(iter(validation))
    utils.plot_predictions(model, images, labels, names).savefig(os.path.join(options.out, "folders_predictions.png"))


if __name__ == "__main__":
    main()
