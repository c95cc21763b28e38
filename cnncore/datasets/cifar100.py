"""CIFAR-100: 60,000 small photographs of a hundred things (Krizhevsky 2009)."""
from cnncore.datasets import files, formats

CLASSES = tuple("""apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel
can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant
flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree
motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy
porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel
streetcar sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle wardrobe whale
willow_tree wolf woman worm""".split())
COARSE_CLASSES = tuple("""aquatic_mammals fish flowers food_containers fruit_and_vegetables household_electrical_devices
household_furniture insects large_carnivores large_man-made_outdoor_things large_natural_outdoor_scenes
large_omnivores_and_herbivores medium_mammals non-insect_invertebrates people reptiles small_mammals trees vehicles_1
vehicles_2""".split())
_FOLDER = "cifar-100-binary"
_NAMES = ("train.bin", "test.bin")
_TAR = "cifar-100-binary.tar.gz"
_DOWNLOAD = {_TAR: ("https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
                    "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec")}


def load_data(label_mode="fine"):
    """Colour photographs of 32 by 32 pixels from 0 to 255, and what they show.

    Looks for the binary distribution (the folder cifar-100-binary or cifar-100-binary.tar.gz) or cifar100.npz in
    CNNCORE_HOME/datasets and in Keras's cache; then downloads. An .npz file has x_train, y_train, x_test and y_test, and
    y_train_coarse and y_test_coarse where the coarse labels are wanted. The Python distribution is not read: it is
    pickled, and a pickle can run any code.

    Args:
        label_mode: 'fine' for a hundred classes (CLASSES), 'coarse' for the twenty groups of five that they form
            (COARSE_CLASSES).

    Returns:
        (x_train, y_train), (x_test, y_test): images, uint8 arrays of shapes (50000, 32, 32, 3) and (10000, 32, 32, 3),
        and labels, int64 arrays of shapes (50000, 1) and (10000, 1).

    Raises:
        OSError: the files are not there and cannot be downloaded.
        ValueError: a file is damaged, or label_mode is another word.
    """
    if label_mode not in ("fine", "coarse"):
        raise ValueError(f"label_mode is 'fine' or 'coarse'. Received: label_mode={label_mode!r}")
    paths = files.find_all(_NAMES, (_FOLDER,), endings=("",))
    if paths is not None:
        return _split([path.read_bytes() for path in paths], paths, label_mode)
    found = files.find("cifar100.npz")
    if found is not None:
        ending = "_coarse" if label_mode == "coarse" else ""
        shapes = {"x_train": (None, 32, 32, 3), f"y_train{ending}": (None, 1), "x_test": (None, 32, 32, 3),
                  f"y_test{ending}": (None, 1)}
        x_train, y_train, x_test, y_test = formats.read_npz(found, shapes).values()
        return (x_train, y_train.astype("int64")), (x_test, y_test.astype("int64"))
    tar = files.find(_TAR) or files.download("CIFAR-100", _DOWNLOAD)[0]
    return _split(formats.read_tar(tar, [f"{_FOLDER}/{name}" for name in _NAMES]),
                  [f"{name} in {tar}" for name in _NAMES], label_mode)


def _split(contents, names, label_mode):
    train, test = (formats.cifar_records(data, name, (20, 100)) for data, name in zip(contents, names))
    label = 1 if label_mode == "coarse" else 2
    return (train[0], train[label].astype("int64")), (test[0], test[label].astype("int64"))
