"""ImageDataGenerator: images transformed at random while a model is trained on them."""
import math
import warnings

import numpy as np

from cnncore.preprocessing.image import transforms
from cnncore.preprocessing.image.data_frame import DataFrameIterator
from cnncore.preprocessing.image.iterators import DirectoryIterator, NumpyArrayIterator, check_channels
from cnncore.utils.images import channels_first

_AFFINE = ("theta", "tx", "ty", "shear", "zx", "zy")


class ImageDataGenerator:
    """Makes batches of images that are transformed at random, so that a model never sees the same image twice.

    With the same seed the batches are those that Keras makes, to a grey level.

    Args:
        featurewise_center: whether the mean over the data of `fit` is subtracted, channel by channel.
        samplewise_center: whether each image's own mean is subtracted.
        featurewise_std_normalization: whether values are divided by the standard deviation over the data of `fit`.
        samplewise_std_normalization: whether values are divided by each image's own standard deviation.
        zca_whitening: whether pixels are decorrelated by the matrix that `fit` computes.
        zca_epsilon: what is added to singular values for it.
        rotation_range: the largest angle, in degrees.
        width_shift_range: the farthest move: a part of the width below 1, else pixels; a whole number n for whole pixels
            from -(n - 1) to n - 1, a list for one of its numbers. As Keras now has it, this move goes up and down.
        height_shift_range: likewise a part of the height, to the sides.
        brightness_range: the smallest and the largest factor of brightness; None for none.
        shear_range: the largest angle of shearing, in degrees.
        zoom_range: the smallest and the largest factor of the zoom; a number z stands for 1 - z and 1 + z.
        channel_shift_range: the largest number added to all values.
        fill_mode: what stands around the image: 'nearest' its outermost pixels, 'constant' cval, 'reflect' the image
            mirrored, 'wrap' the image again.
        cval: the value for 'constant'.
        horizontal_flip: whether half of the images are mirrored left to right.
        vertical_flip: whether half of the images are turned upside down.
        rescale: factor that values are multiplied by after the transformations, such as 1 / 255.
        preprocessing_function: function of one image, called after its transformation; returns an image of its shape.
        data_format: 'channels_last', the default, or 'channels_first'.
        validation_split: share of the samples for subset='validation': the first ones.
        interpolation_order: 0 takes the nearest pixel, 1 is linear, 2 to 5 are splines.
        dtype: of the batches, 'float32' by default.

    Raises:
        ValueError: an argument does not fit.

    Example:
        >>> images, labels = np.zeros((10, 28, 28, 1)), np.arange(10)
        >>> batches = ImageDataGenerator(rotation_range=20, rescale=1 / 255).flow(images, labels, batch_size=4)
        >>> len(batches), batches[0][0].shape
        (3, (4, 28, 28, 1))
    """

    def __init__(self, featurewise_center=False, samplewise_center=False, featurewise_std_normalization=False,
                 samplewise_std_normalization=False, zca_whitening=False, zca_epsilon=1e-6, rotation_range=0,
                 width_shift_range=0.0, height_shift_range=0.0, brightness_range=None, shear_range=0.0, zoom_range=0.0,
                 channel_shift_range=0.0, fill_mode="nearest", cval=0.0, horizontal_flip=False, vertical_flip=False,
                 rescale=None, preprocessing_function=None, data_format=None, validation_split=0.0,
                 interpolation_order=1, dtype=None):
        self.featurewise_center, self.samplewise_center = featurewise_center, samplewise_center
        self.featurewise_std_normalization = featurewise_std_normalization
        self.samplewise_std_normalization = samplewise_std_normalization
        self.zca_whitening, self.zca_epsilon = zca_whitening, zca_epsilon
        self.rotation_range, self.shear_range = rotation_range, shear_range
        self.width_shift_range, self.height_shift_range = width_shift_range, height_shift_range
        self.channel_shift_range, self.brightness_range = channel_shift_range, brightness_range
        self.fill_mode, self.cval, self.interpolation_order = fill_mode, cval, interpolation_order
        self.horizontal_flip, self.vertical_flip = horizontal_flip, vertical_flip
        self.rescale, self.preprocessing_function, self.dtype = rescale, preprocessing_function, dtype or "float32"
        first = channels_first(data_format)
        self.data_format = "channels_first" if first else "channels_last"
        self.channel_axis, self.row_axis, self.col_axis = (1, 2, 3) if first else (3, 1, 2)
        self.mean = self.std = self.zca_whitening_matrix = None
        transforms.check_fill(fill_mode, interpolation_order)
        if validation_split and not 0 < validation_split < 1:
            raise ValueError("validation_split is a share above 0 and below 1. Received: validation_split="
                             f"{validation_split!r}")
        self._validation_split = validation_split
        if isinstance(zoom_range, (int, float)):
            self.zoom_range = [1 - zoom_range, 1 + zoom_range]
        elif len(zoom_range) == 2 and all(isinstance(part, (int, float)) for part in zoom_range):
            self.zoom_range = list(zoom_range)
        else:
            raise ValueError(f"zoom_range is one number, or the smallest and the largest. Received: {zoom_range!r}")
        if brightness_range is not None and (not isinstance(brightness_range, (tuple, list))
                                             or len(brightness_range) != 2):
            raise ValueError("brightness_range is the smallest and the largest factor. Received: brightness_range="
                             f"{brightness_range!r}")
        self._imply("zca_whitening", "featurewise_center")
        self._imply("featurewise_std_normalization", "featurewise_center")
        self._imply("samplewise_std_normalization", "samplewise_center")
        if zca_whitening and featurewise_std_normalization:
            self.featurewise_std_normalization = False
            warnings.warn("zca_whitening takes the place of featurewise_std_normalization, which is turned off",
                          stacklevel=2)

    def _imply(self, name, needed):
        if getattr(self, name) and not getattr(self, needed):
            setattr(self, needed, True)
            warnings.warn(f"{name} needs {needed}, which is turned on", stacklevel=3)

    # ---- batches -------------------------------------------------------------------------------------------------

    def flow(self, x, y=None, batch_size=32, shuffle=True, sample_weight=None, seed=None, save_to_dir=None,
             save_prefix="", save_format="png", ignore_class_split=False, subset=None):
        """Batches out of arrays.

        Args:
            x: images (n, height, width, channels); or a tuple of them and of an array, or list of arrays, that the model
                takes too and that are not transformed.
            y: labels, or None.
            batch_size: images of a batch.
            shuffle: whether images are drawn in another order in each epoch.
            sample_weight: weights, or None.
            seed: of the order and the transformations.
            save_to_dir: folder that the transformed images are written to, to be looked at; None for none.
            save_prefix, save_format: of these files' names.
            ignore_class_split: whether the parts may have different classes.
            subset: 'training' or 'validation', with `validation_split`.

        Returns:
            `NumpyArrayIterator` over x, (x, y) or (x, y, sample_weight).

        Raises:
            ValueError: the arrays do not fit.
        """
        return NumpyArrayIterator(x, y, self, batch_size=batch_size, shuffle=shuffle, sample_weight=sample_weight,
                                  seed=seed, data_format=self.data_format, save_to_dir=save_to_dir,
                                  save_prefix=save_prefix, save_format=save_format,
                                  ignore_class_split=ignore_class_split, subset=subset, dtype=self.dtype)

    def flow_from_directory(self, directory, target_size=(256, 256), color_mode="rgb", classes=None,
                            class_mode="categorical", batch_size=32, shuffle=True, seed=None, save_to_dir=None,
                            save_prefix="", save_format="png", follow_links=False, subset=None, interpolation="nearest",
                            keep_aspect_ratio=False):
        """Batches out of a folder that holds a folder of images for each class.

        Args:
            directory: path of the folder.
            target_size: (height, width) that images are resized to.
            color_mode: 'rgb', 'rgba' or 'grayscale'.
            classes: the folders to use, in this order; all in alphabetical order by default.
            class_mode: 'categorical' for one-hot labels, 'sparse' or 'binary' for numbers, 'input' for the images
                themselves, None for no labels.
            batch_size: images of a batch.
            shuffle: whether images are drawn in another order in each epoch.
            seed: of the order and the transformations.
            save_to_dir: folder that the transformed images are written to; None for none.
            save_prefix, save_format: of these files' names.
            follow_links: whether links to folders are followed.
            subset: 'training' or 'validation', with `validation_split`.
            interpolation: 'nearest', 'bilinear', 'bicubic', 'hamming', 'box' or 'lanczos'.
            keep_aspect_ratio: whether images are cropped to the new proportions, instead of distorted.

        Returns:
            `DirectoryIterator`.

        Raises:
            ImportError: Pillow is not installed.
            OSError: the folder does not exist; while iterating also a file that is no image.
            ValueError: an argument does not fit.
        """
        return DirectoryIterator(directory, self, target_size=target_size, color_mode=color_mode, classes=classes,
                                 class_mode=class_mode, batch_size=batch_size, shuffle=shuffle, seed=seed,
                                 data_format=self.data_format, save_to_dir=save_to_dir, save_prefix=save_prefix,
                                 save_format=save_format, follow_links=follow_links, subset=subset,
                                 interpolation=interpolation, keep_aspect_ratio=keep_aspect_ratio, dtype=self.dtype)

    def flow_from_dataframe(self, dataframe, directory=None, x_col="filename", y_col="class", weight_col=None,
                            target_size=(256, 256), color_mode="rgb", classes=None, class_mode="categorical",
                            batch_size=32, shuffle=True, seed=None, save_to_dir=None, save_prefix="", save_format="png",
                            subset=None, interpolation="nearest", validate_filenames=True, **kwargs):
        """Batches of the images that a table names.

        Args:
            dataframe: pandas DataFrame, or dict of lists.
            directory: folder that the names start from; None where they are whole paths.
            x_col: column of the files' names.
            y_col: column of the labels, or a list of columns.
            weight_col: column of the samples' weights, or None.
            class_mode: 'categorical', 'sparse' and 'binary' for classes named by strings (lists of them have several),
                'raw' for the column's values, 'multi_output' for several columns, 'input' for the images themselves, None
                for no labels.
            validate_filenames: whether names that are no image files are left out, with a warning.
            target_size, color_mode, classes, batch_size, shuffle, seed, save_to_dir, save_prefix, save_format, subset,
                interpolation: see `flow_from_directory`.

        Returns:
            `DataFrameIterator`.

        Raises:
            ValueError, TypeError: an argument or a column does not fit.
        """
        for name in kwargs:
            if name not in ("has_ext", "sort", "drop_duplicates"):
                raise TypeError(f"flow_from_dataframe takes no argument {name!r}")
            warnings.warn(f"{name} has no meaning any more", DeprecationWarning, stacklevel=2)
        return DataFrameIterator(dataframe, directory, self, x_col=x_col, y_col=y_col, weight_col=weight_col,
                                 target_size=target_size, color_mode=color_mode, classes=classes,
                                 class_mode="raw" if class_mode == "other" else class_mode,
                                 data_format=self.data_format, batch_size=batch_size, shuffle=shuffle, seed=seed,
                                 save_to_dir=save_to_dir, save_prefix=save_prefix, save_format=save_format, subset=subset,
                                 interpolation=interpolation, validate_filenames=validate_filenames, dtype=self.dtype)

    # ---- transformations -----------------------------------------------------------------------------------------

    def get_random_transform(self, img_shape, seed=None):
        """Draws the parameters of a transformation.

        Args:
            img_shape: shape of one image.
            seed: seed of NumPy's global generator, or None to go on with it.

        Returns:
            Dict: 'theta' and 'shear' in degrees, 'tx' and 'ty' in pixels to the left and up, 'zx' and 'zy' factors of the
            zoom, 'flip_horizontal' and 'flip_vertical', 'channel_shift_intensity' and 'brightness'
            or None.
        """
        if seed is not None:
            np.random.seed(seed)
        return self._draw(img_shape, np.random)

    def _draw(self, shape, rng):
        def spread(limit):
            return rng.uniform(-limit, limit) if limit else 0

        theta = spread(self.rotation_range)
        tx = self._draw_shift(self.height_shift_range, shape[self.row_axis - 1], rng)
        ty = self._draw_shift(self.width_shift_range, shape[self.col_axis - 1], rng)
        shear = spread(self.shear_range)
        zx, zy = (1, 1) if self.zoom_range == [1, 1] else rng.uniform(self.zoom_range[0], self.zoom_range[1], 2)
        flip_horizontal = (rng.random_sample() < 0.5) * self.horizontal_flip
        flip_vertical = (rng.random_sample() < 0.5) * self.vertical_flip
        channel_shift = spread(self.channel_shift_range) if self.channel_shift_range else None
        brightness = None if self.brightness_range is None else rng.uniform(*self.brightness_range)
        return {"theta": theta, "tx": tx, "ty": ty, "shear": shear, "zx": zx, "zy": zy,
                "flip_horizontal": flip_horizontal, "flip_vertical": flip_vertical,
                "channel_shift_intensity": channel_shift, "brightness": brightness}

    @staticmethod
    def _draw_shift(limit, length, rng):
        if np.ndim(limit) == 0 and not limit:
            return 0
        if np.ndim(limit) or isinstance(limit, (int, np.integer)):
            shift = rng.choice(limit) * rng.choice([-1, 1])
        else:
            shift = rng.uniform(-limit, limit)
        return shift * length if np.max(limit) < 1 else shift

    def apply_transform(self, x, transform_parameters):
        """One image, transformed.

        Args:
            x: image of three axes.
            transform_parameters: dict of `get_random_transform`; what is missing changes nothing.

        Returns:
            Array of x's shape.
        """
        p = transform_parameters
        affine = {name: p[name] for name in _AFFINE if name in p}
        x = transforms.apply_affine_transform(
            x, **affine, row_axis=self.row_axis - 1, col_axis=self.col_axis - 1, channel_axis=self.channel_axis - 1,
            fill_mode=self.fill_mode, cval=self.cval, order=self.interpolation_order)
        return self._after_affine(x, p)

    def _after_affine(self, x, p):
        if p.get("channel_shift_intensity") is not None:
            x = transforms.apply_channel_shift(x, p["channel_shift_intensity"], self.channel_axis - 1)
        if p.get("flip_horizontal"):
            x = np.flip(x, self.col_axis - 1)
        if p.get("flip_vertical"):
            x = np.flip(x, self.row_axis - 1)
        if p.get("brightness") is not None:
            x = transforms.apply_brightness_shift(x, p["brightness"], False)
        return x

    def random_transform(self, x, seed=None):
        """One image, transformed at random; see `get_random_transform` and `apply_transform`.

        Args:
            x: image of three axes.
            seed: seed of NumPy's global generator, or None.
        """
        return self.apply_transform(x, self.get_random_transform(x.shape, seed))

    def _transformed(self, batch, rng):
        """A batch transformed and standardized: the affine part of all images in one call of the kernel."""
        parameters = [self._draw(batch.shape[1:], rng) for _ in range(len(batch))]
        height, width = batch.shape[self.row_axis], batch.shape[self.col_axis]
        matrices = [transforms.affine_matrix(height, width, **{name: p[name] for name in _AFFINE}) for p in parameters]
        first = self.channel_axis == 1
        warped = transforms.warp(batch.transpose(0, 2, 3, 1) if first else batch, matrices, self.fill_mode, self.cval,
                                 self.interpolation_order)
        warped = warped.transpose(0, 3, 1, 2) if first else warped
        for i, p in enumerate(parameters):
            batch[i] = self.standardize(np.array(self._after_affine(warped[i], p), batch.dtype))
        return batch

    def standardize(self, x):
        """Applies the preprocessing function, `rescale`, and the centring and scaling; x may be changed in place.

        Args:
            x: image, or batch of images, of real numbers.

        Returns:
            Array of x's shape.
        """
        x = np.asarray(x)
        x = x if x.dtype.kind == "f" else x.astype(self.dtype)
        if self.preprocessing_function:
            x = np.asarray(self.preprocessing_function(x))
        if self.rescale:
            x *= self.rescale
        if self.samplewise_center:
            x -= np.mean(x, keepdims=True)
        if self.samplewise_std_normalization:
            x /= np.std(x, keepdims=True) + 1e-6
        if self.featurewise_center and self._has_fitted("mean", "featurewise_center"):
            x -= self.mean
        if self.featurewise_std_normalization and self._has_fitted("std", "featurewise_std_normalization"):
            x /= self.std + 1e-6
        if self.zca_whitening and self._has_fitted("zca_whitening_matrix", "zca_whitening"):
            x = (x.reshape(-1, math.prod(x.shape[-3:])) @ self.zca_whitening_matrix).reshape(x.shape)
        return x

    def _has_fitted(self, name, option):
        if getattr(self, name) is None:
            warnings.warn(f"{option} needs statistics of the data, so it is left out: call fit(x) first", stacklevel=4)
        return getattr(self, name) is not None

    def fit(self, x, augment=False, rounds=1, seed=None):
        """Computes what featurewise_center, featurewise_std_normalization and zca_whitening need.

        Args:
            x: images (n, height, width, channels).
            augment: whether transformed images are taken.
            rounds: how often each image is transformed for it.
            seed: seed of NumPy's global generator, or None.

        Raises:
            ValueError: x has another number of axes.
        """
        x = np.array(x, self.dtype)
        if x.ndim != 4:
            raise ValueError(f"Images have four axes, (batch, height, width, channels). Received: shape {x.shape}"
                             + ("; give grey images a last axis, x[..., None]" if x.ndim == 3 else ""))
        check_channels(x.shape, self.channel_axis == 1)
        if seed is not None:
            np.random.seed(seed)
        if self.rescale:
            x *= self.rescale
        if augment:
            x = np.stack([self.random_transform(image) for _ in range(rounds) for image in x])
        axes, shape = (0, self.row_axis, self.col_axis), [1, 1, 1]
        shape[self.channel_axis - 1] = x.shape[self.channel_axis]
        if self.featurewise_center:
            self.mean = np.mean(x, axis=axes).reshape(shape)
            x -= self.mean
        if self.featurewise_std_normalization:
            self.std = np.std(x, axis=axes).reshape(shape)
            x /= self.std + 1e-6
        if self.zca_whitening:
            u, s, _ = np.linalg.svd(x.reshape(len(x), -1).T, full_matrices=False)
            self.zca_whitening_matrix = (u * (np.sqrt(len(x)) / (s + self.zca_epsilon))) @ u.T
