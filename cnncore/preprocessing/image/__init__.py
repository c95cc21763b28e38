"""Images: augmentation while a model is trained (ImageDataGenerator), files, and single transformations."""
from cnncore.preprocessing.image.data_frame import DataFrameIterator
from cnncore.preprocessing.image.generator import ImageDataGenerator
from cnncore.preprocessing.image.iterators import DirectoryIterator, Iterator, NumpyArrayIterator
from cnncore.preprocessing.image.transforms import (
    apply_affine_transform,
    apply_brightness_shift,
    apply_channel_shift,
    random_brightness,
    random_channel_shift,
    random_rotation,
    random_shear,
    random_shift,
    random_zoom,
    smart_resize,
)
from cnncore.utils.images import array_to_img, img_to_array, load_img, save_img

__all__ = [
    "DataFrameIterator", "DirectoryIterator", "ImageDataGenerator", "Iterator", "NumpyArrayIterator",
    "apply_affine_transform", "apply_brightness_shift", "apply_channel_shift", "array_to_img", "img_to_array", "load_img",
    "random_brightness", "random_channel_shift", "random_rotation", "random_shear", "random_shift", "random_zoom",
    "save_img", "smart_resize",
]
