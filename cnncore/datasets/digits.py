"""Digits: the 1,797 small handwritten digits that scikit-learn carries (Alpaydin and Kaynak 1998)."""


def load_data(test_split=0.2, seed=0):
    """Grey images of handwritten digits, 8 by 8 pixels from 0 to 16, and which digits they show. Needs no network.

    Args:
        test_split: the part of the images that is kept for testing, above 0 and below 1.
        seed: of the order in which images are split; the same seed gives the same split.

    Returns:
        (x_train, y_train), (x_test, y_test): uint8 arrays of shapes (1438, 8, 8), (1438,), (359, 8, 8) and (359,) for
        a fifth.

    Raises:
        ImportError: scikit-learn is not installed.
    """
    import numpy as np

    if not 0 < test_split < 1:
        raise ValueError(f"test_split must be above 0 and below 1. Received: test_split={test_split!r}")
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ImportError("The digits come with scikit-learn, which is not installed: pip install 'cnncore[data]'") \
            from error
    bunch = load_digits()
    order = np.random.default_rng(seed).permutation(len(bunch.target))
    x, y = bunch.images[order].astype(np.uint8), bunch.target[order].astype(np.uint8)
    held = round(len(x) * test_split)
    return (x[held:], y[held:]), (x[:held], y[:held])
