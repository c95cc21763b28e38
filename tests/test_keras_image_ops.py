"""cnncore.ops.image: what Keras's functions of the same names give, and slopes as gradients."""
import os

os.environ.setdefault("KERAS_BACKEND", "numpy")

import numpy as np
import pytest

import cnncore
from cnncore.ops import image

keras = pytest.importorskip("keras", exc_type=ImportError)

rng = np.random.default_rng(4)
X = rng.random((2, 9, 8, 3), "float32")
CORNERS = np.float32([[[0, 0], [7, 0], [0, 8], [7, 8]]] * 2)
MOVED = CORNERS + rng.uniform(-1, 1, CORNERS.shape).astype("float32")
CALLS = {
    "affine_transform": [(X, np.float32([[1, 0.1, 0.3, 0.2, 0.9, -0.4, 0, 0]] * 2))],
    "crop_images": [(X, 1, 2, 1, 1), (X, 1, 2, None, None, 5, 4), (X[0], None, None, 2, 0, 4, 8)],
    "extract_patches": [(X, 3), (X, (2, 3), 1, 1, "same"), (X, 2, 3, 2), (X[0], 3)],
    "gaussian_blur": [(X,), (X, (5, 3), (0.7, 1.5)), (X[0], (3, 5))],
    "hsv_to_rgb": [(X,)],
    "map_coordinates": [(X[0, :, :, 0], rng.uniform(-1, 9, (2, 5, 4)).astype("float32"), 1, mode, 0.2)
                        for mode in ("constant", "nearest", "reflect", "mirror", "wrap")]
    + [(X[0, :, :, 0], rng.uniform(0, 7, (2, 6)).astype("float32"), 0)],
    "pad_images": [(X, 1, 2, 0, 3), (X, 1, None, None, 0, 12, 9), (X[0], 1, 1, 1, 1)],
    "perspective_transform": [(X, CORNERS, MOVED), (X[0], CORNERS[0], MOVED[0], "nearest")],
    "resize": [(X, (4, 6)), (X, (12, 10), "nearest"), (X, (5, 5), "bicubic")],
    "rgb_to_grayscale": [(X,)],
    "rgb_to_hsv": [(X,)],
    "sobel_edges": [(X,)],
}
CASES = [pytest.param(name, args, id=f"{name}-{i}") for name, rows in CALLS.items() for i, args in enumerate(rows)]
LINEAR = ("affine_transform", "crop_images", "extract_patches", "gaussian_blur", "pad_images", "resize", "rgb_to_grayscale",
          "sobel_edges")


def test_every_function_is_compared():
    assert set(image.__all__) - set(CALLS) == {"elastic_transform"}  # of random numbers, see below


@pytest.mark.parametrize(("name", "args"), CASES)
def test_values_are_those_of_keras(name, args):
    got, wanted = getattr(image, name)(*args).numpy(), np.asarray(getattr(keras.ops.image, name)(*args))
    assert got.shape == wanted.shape and got.dtype == wanted.dtype
    if name == "sobel_edges":  # what lies around an image is other in each of Keras's backends; ours is TensorFlow's
        got, wanted = got[:, 1:-1, 1:-1], wanted[:, 1:-1, 1:-1]
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=2e-5)


NO_PLAIN_CALL = ("affine_transform", "map_coordinates", "perspective_transform", "sobel_edges")


@pytest.mark.parametrize("name", [name for name in CALLS if name not in NO_PLAIN_CALL])
def test_channels_may_come_first(name):
    first, args = X.transpose(0, 3, 1, 2), [part for part in CALLS[name][0][1:] if part is not None]
    got = getattr(image, name)(first, *args, data_format="channels_first").numpy()
    np.testing.assert_allclose(got.transpose(0, 2, 3, 1), getattr(image, name)(X, *args), atol=1e-6)


@pytest.mark.parametrize("name", LINEAR)
def test_gradients_are_the_slopes(name):
    """The functions are linear in the image, but for what lies around it: their gradient is exact."""
    args = CALLS[name][0][1:]
    x = cnncore.Tensor(X, requires_grad=True)
    y = getattr(image, name)(x, *args)
    weight, direction = rng.normal(size=y.shape).astype("float32"), rng.normal(size=X.shape).astype("float32")
    (y * weight).sum().backward()
    theirs = getattr((cnncore if name == "sobel_edges" else keras).ops.image, name)
    there, here = (np.asarray(theirs(part, *args), "float64") for part in (X + direction, X))
    assert abs((x.grad.numpy() * direction).sum() - ((there - here) * weight).sum()) < 2e-3


def test_an_elastic_transform_bends_images_and_keeps_what_is_everywhere_the_same():
    bent = image.elastic_transform(X, alpha=30.0, sigma=1.5, seed=3).numpy()
    assert bent.shape == X.shape and np.abs(bent - X).max() > 0.05
    assert np.array_equal(bent, image.elastic_transform(X, alpha=30.0, sigma=1.5, seed=3))
    assert bent.min() >= X.min() - 1e-6 and bent.max() <= X.max() + 1e-6
    flat = image.elastic_transform(np.full((2, 9, 8, 3), 0.4, "float32"), seed=3)
    np.testing.assert_allclose(flat, 0.4, rtol=1e-5)


@pytest.mark.parametrize(("call", "message"), [
    (lambda: image.crop_images(X, 1, 1), "two of three numbers"),
    (lambda: image.crop_images(X, 5, 1, 5, 1), "cannot be cropped by 5 before and 5 after"),
    (lambda: image.pad_images(X, 1, 1, None, 1, 5), "cannot be padded by 1 before and -5 after"),
    (lambda: image.perspective_transform(X, CORNERS[:, :3], MOVED), "Points are"),
    (lambda: image.elastic_transform(X, fill_mode="edge"), "fill_mode is one of"),
    (lambda: image.map_coordinates(X, X, 1), "map_coordinates takes an array of two axes"),
    (lambda: image.map_coordinates(X[0, :, :, 0], np.zeros((2, 3)), 3), "order 0 or 1"),
])
def test_what_is_wrong_is_said(call, message):
    with pytest.raises(ValueError, match=message):
        call()
