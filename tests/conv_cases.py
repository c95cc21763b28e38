"""The cases of the convolutions: dense, grouped, depthwise and transposed."""

from case import Case


def _conv(id, x, kernel, out_c, strides=(1, 1), padding="same", dilation=(1, 1), groups=1, bias=True):
    """A convolution of `x` (n, h, w, c) by `kernel` (h, w) into `out_c` channels."""
    shapes = {"x": x, "w": (*kernel, x[3] // groups, out_c), "b": (out_c,) if bias else None}
    return Case(id, shapes, dict(strides=strides, padding=padding, dilation=dilation, groups=groups))


CONV2D = [
    # Sizes of kernels, images and channels at stride 1.
    _conv("1x1_one_pixel_one_channel", (1, 1, 1, 1), (1, 1), 1),
    _conv("3x3_one_pixel_same", (1, 1, 1, 5), (3, 3), 6),
    _conv("1x1_pointwise_16_to_40", (2, 7, 5, 16), (1, 1), 40, bias=False),
    _conv("1x1_pointwise_33_to_17_valid", (1, 6, 7, 33), (1, 1), 17, padding="valid"),
    _conv("2x2_same_pads_bottom_right", (2, 5, 6, 3), (2, 2), 5),
    _conv("2x2_valid", (1, 5, 6, 6), (2, 2), 3, padding="valid"),
    _conv("3x3_valid_odd", (3, 7, 9, 3), (3, 3), 6, padding="valid"),
    _conv("3x3_same_no_bias", (2, 9, 7, 1), (3, 3), 33, bias=False),
    _conv("3x3_to_one_channel", (2, 6, 5, 17), (3, 3), 1),
    _conv("4x4_same_even_kernel", (1, 7, 7, 5), (4, 4), 16),
    _conv("5x5_same", (1, 8, 9, 5), (5, 5), 17),
    _conv("5x5_valid_40_channels", (1, 7, 6, 40), (5, 5), 6, padding="valid"),
    _conv("1x7_same", (1, 5, 11, 6), (1, 7), 5),
    _conv("7x1_same", (1, 11, 5, 5), (7, 1), 6),
    _conv("1x7_valid", (2, 3, 9, 16), (1, 7), 33, padding="valid"),
    _conv("kernel_as_large_as_input_valid", (3, 5, 4, 6), (5, 4), 7, padding="valid"),
    _conv("kernel_larger_than_input_same", (2, 3, 2, 3), (5, 7), 5),
    _conv("one_row", (2, 1, 13, 3), (3, 3), 8),
    _conv("one_column", (2, 13, 1, 3), (3, 3), 8),
    _conv("explicit_padding", (2, 5, 6, 5), (3, 3), 6, padding=((2, 0), (1, 3))),
    _conv("empty_batch", (0, 5, 5, 3), (3, 3), 4),
    _conv("no_filters", (2, 5, 5, 3), (3, 3), 0),
    # Strides.
    _conv("3x3_stride2_same_odd", (2, 9, 7, 3), (3, 3), 16, strides=(2, 2)),
    _conv("3x3_stride2_same_even", (2, 8, 10, 16), (3, 3), 5, strides=(2, 2)),
    _conv("3x3_stride2_valid", (1, 9, 8, 6), (3, 3), 17, strides=(2, 2), padding="valid"),
    _conv("1x1_stride2_same", (2, 7, 7, 17), (1, 1), 33, strides=(2, 2)),
    _conv("2x2_stride3_larger_than_kernel_same", (2, 8, 10, 5), (2, 2), 6, strides=(3, 3)),
    _conv("2x2_stride3_larger_than_kernel_valid", (2, 9, 10, 5), (2, 2), 6, strides=(3, 3), padding="valid"),
    _conv("1x1_stride4_skips_pixels", (1, 10, 11, 3), (1, 1), 5, strides=(4, 4), padding="valid"),
    _conv("5x3_strides_1x2_same", (1, 8, 9, 6), (5, 3), 5, strides=(1, 2)),
    _conv("3x5_strides_3x1_valid", (2, 9, 8, 3), (3, 5), 16, strides=(3, 1), padding="valid"),
    _conv("7x7_stride2_same_three_channels", (1, 13, 15, 3), (7, 7), 16, strides=(2, 2)),
    _conv("7x7_stride2_three_channels_to_40", (1, 25, 27, 3), (7, 7), 40, strides=(2, 2)),
    # Dilation.
    _conv("3x3_dilation2_same", (2, 9, 8, 5), (3, 3), 6, dilation=(2, 2)),
    _conv("3x3_dilation2_valid", (1, 9, 10, 16), (3, 3), 17, padding="valid", dilation=(2, 2)),
    _conv("3x2_dilation_1x3_same", (1, 7, 9, 3), (3, 2), 5, dilation=(1, 3)),
    _conv("3x3_three_channels_to_20_dilation_2x1", (2, 9, 13, 3), (3, 3), 20, dilation=(2, 1)),
    _conv("3x3_stride2_dilation2_same", (1, 9, 11, 6), (3, 3), 5, strides=(2, 2), dilation=(2, 2)),
    _conv("2x3_strides_1x2_dilation_3x1_valid", (2, 8, 9, 5), (2, 3), 6, (1, 2), "valid", (3, 1)),
    # LeNet's layers and first layers of the tutorials' networks.
    _conv("lenet_first", (1, 28, 28, 1), (5, 5), 6),
    _conv("lenet_second", (2, 14, 14, 6), (5, 5), 16, padding="valid"),
    _conv("lenet_third", (3, 5, 5, 16), (5, 5), 120, padding="valid"),
    _conv("grey_first_layer_32", (1, 28, 28, 1), (3, 3), 32, padding="valid"),
    _conv("colour_first_layer_32", (1, 16, 16, 3), (3, 3), 32),
    _conv("wide_16x16x32_to_64", (1, 16, 16, 32), (3, 3), 64),
    # Rows of few channels at stride 1 under filters 3 and 5 wide: whole tiles, parts of tiles, one row.
    _conv("3x3_colour_7x19_to_6_valid", (2, 7, 19, 3), (3, 3), 6, padding="valid"),
    _conv("3x3_colour_64x13_in_bands", (1, 64, 13, 3), (3, 3), 33),
    _conv("5x5_colour_9x11_to_33", (2, 9, 11, 3), (5, 5), 33),
    _conv("3x3_grey_13x21_to_40", (2, 13, 21, 1), (3, 3), 40),
    _conv("3x3_grey_70x33_to_17_valid_no_bias", (1, 70, 33, 1), (3, 3), 17, padding="valid", bias=False),
    _conv("7x3_grey_9x8_to_16_explicit_padding", (3, 9, 8, 1), (7, 3), 16, padding=((5, 1), (0, 2))),
    _conv("3x11_5x19_2_to_6", (2, 5, 19, 2), (3, 11), 6),
    _conv("2x11_6x17_4_to_20_valid", (2, 6, 17, 4), (2, 11), 20, padding="valid"),
    _conv("3x13_7x15_2_to_5", (1, 7, 15, 2), (3, 13), 5),
    _conv("5x5_6x11_33_to_5", (1, 6, 11, 33), (5, 5), 5),
    _conv("5x5_grey_13x10_to_40_valid", (3, 13, 10, 1), (5, 5), 40, padding="valid", bias=False),
    _conv("5x5_9x15_16_to_6", (2, 9, 15, 16), (5, 5), 6),
    _conv("5x5_8x8_6_to_16_explicit_padding", (5, 8, 8, 6), (5, 5), 16, padding=((4, 0), (0, 3))),
    _conv("2x5_one_row_6_to_17", (2, 1, 12, 6), (2, 5), 17),
    _conv("1x5_5x90_16_to_20", (2, 5, 90, 16), (1, 5), 20),
    # Colour images, whose rows go in pairs: an odd one is left, images are one band each, rows have many tiles, dx too.
    _conv("3x3_colour_33_images_9x12_to_20", (33, 9, 12, 3), (3, 3), 20),
    _conv("3x3_colour_5x67_to_16_valid", (2, 5, 67, 3), (3, 3), 16, padding="valid"),
    _conv("3x3_colour_one_row_to_17", (2, 1, 20, 3), (3, 3), 17),
    _conv("3x3_32_images_11x9_20_to_colour", (32, 11, 9, 20), (3, 3), 3),
    # Rows with so few filters that two rows go abreast, and so many images that each goes as one band.
    _conv("5x5_33_images_9x10_grey_to_6", (33, 9, 10, 1), (5, 5), 6),
    _conv("5x5_32_images_12x13_colour_to_8_valid", (32, 12, 13, 3), (5, 5), 8, padding="valid"),
    _conv("5x5_32_images_9x11_6_to_16", (32, 9, 11, 6), (5, 5), 16),
    _conv("4x5_32_images_6x9_16_to_5", (32, 6, 9, 16), (4, 5), 5),
    _conv("2x5_32_images_of_one_row_16_to_3", (32, 1, 12, 16), (2, 5), 3),
    # Stride-1 3x3 with many channels, on sizes that tiles of 4x4 fill and on sizes that they do not.
    _conv("3x3_7x7_16_to_16", (3, 7, 7, 16), (3, 3), 16),
    _conv("3x3_7x7_33_to_40", (2, 7, 7, 33), (3, 3), 40),
    _conv("3x3_8x8_32_to_32", (2, 8, 8, 32), (3, 3), 32),
    _conv("3x3_8x8_16_to_17_valid", (5, 8, 8, 16), (3, 3), 17, padding="valid"),
    _conv("3x3_14x14_32_to_32", (1, 14, 14, 32), (3, 3), 32),
    _conv("3x3_14x14_17_to_48_valid_no_bias", (1, 14, 14, 17), (3, 3), 48, padding="valid", bias=False),
    _conv("3x3_15x13_16_to_33", (2, 15, 13, 16), (3, 3), 33),
    _conv("3x3_15x13_40_to_16_valid", (1, 15, 13, 40), (3, 3), 16, padding="valid"),
    _conv("3x3_2x2_16_to_16", (2, 2, 2, 16), (3, 3), 16),
    _conv("3x3_explicit_padding_32", (1, 6, 7, 32), (3, 3), 32, padding=((0, 1), (2, 1))),
    # What matrix tiles cut in other ways: bands of large images, groups of channels, strides, several images at once.
    _conv("3x3_64x64_48_to_32_in_bands", (1, 64, 64, 48), (3, 3), 32),
    _conv("1x1_7x7_96_to_200", (1, 7, 7, 96), (1, 1), 200, padding="valid"),
    _conv("3x3_3x3_256_to_64", (1, 3, 3, 256), (3, 3), 64),
    _conv("3x3_4x4_many_images", (33, 4, 4, 16), (3, 3), 24),
    _conv("3x3_stride2_33_to_32", (2, 15, 15, 33), (3, 3), 32, strides=(2, 2)),
    _conv("1x7_17_to_33", (2, 19, 35, 17), (1, 7), 33),
    _conv("7x1_16_to_24", (2, 17, 15, 16), (7, 1), 24),
    _conv("2x2_padding_wider_than_the_kernel", (2, 12, 12, 24), (2, 2), 24, padding=((3, 3), (2, 4))),
    _conv("2x2_64x64_64_to_32_in_bands", (1, 64, 64, 64), (2, 2), 32),
    _conv("5x5_32_rows_of_32", (1, 32, 32, 16), (5, 5), 16),
]

# Grouped convolutions stand apart: where there are as many groups as channels, the depthwise kernels compute them.
CONV2D_GROUPED = [
    _conv("two_groups", (2, 6, 7, 10), (3, 3), 6, groups=2),
    _conv("four_groups_stride2", (1, 7, 8, 16), (3, 3), 20, strides=(2, 2), groups=4, bias=False),
    _conv("depthwise_same", (2, 7, 6, 17), (3, 3), 17, groups=17),
    _conv("depthwise_stride2_valid", (1, 9, 8, 33), (3, 3), 33, strides=(2, 2), padding="valid", groups=33),
    _conv("depthwise_multiplier2_dilation2", (1, 7, 7, 5), (3, 3), 10, dilation=(2, 2), groups=5),
    _conv("depthwise_5x5", (1, 7, 9, 16), (5, 5), 16, groups=16),
]


def _depthwise(id, x, kernel, filters=1, strides=(1, 1), padding="same", dilation=(1, 1), bias=True):
    """A convolution of each channel of `x` (n, h, w, c) with `filters` kernels (h, w) of its own."""
    shapes = {"x": x, "w": (*kernel, x[3], filters), "b": (x[3] * filters,) if bias else None}
    return Case(id, shapes, dict(strides=strides, padding=padding, dilation=dilation))


DEPTHWISE_CONV2D = [
    _depthwise("1x1_one_pixel_one_channel", (1, 1, 1, 1), (1, 1)),
    _depthwise("3x3_one_pixel_same", (2, 1, 1, 5), (3, 3)),
    _depthwise("3x3_one_channel", (2, 9, 7, 1), (3, 3)),
    _depthwise("3x3_three_channels_28_wide", (1, 5, 28, 3), (3, 3)),
    _depthwise("5x5_six_channels_valid", (2, 9, 11, 6), (5, 5), padding="valid", bias=False),
    _depthwise("3x3_16_channels", (3, 7, 9, 16), (3, 3)),
    _depthwise("3x3_17_channels_valid", (2, 8, 6, 17), (3, 3), padding="valid"),
    _depthwise("3x3_40_channels", (1, 14, 13, 40), (3, 3), bias=False),
    _depthwise("2x2_same_pads_bottom_right", (2, 5, 6, 9), (2, 2)),
    _depthwise("1x7_same", (1, 4, 11, 8), (1, 7)),
    _depthwise("7x1_valid", (1, 11, 5, 33), (7, 1), padding="valid"),
    _depthwise("kernel_larger_than_input_same", (2, 3, 2, 3), (5, 7)),
    _depthwise("kernel_as_large_as_input_valid", (3, 5, 4, 6), (5, 4), padding="valid"),
    _depthwise("explicit_padding", (2, 5, 6, 5), (3, 3), padding=((2, 0), (1, 3))),
    _depthwise("empty_batch", (0, 5, 5, 3), (3, 3)),
    _depthwise("stride2_same_even", (2, 8, 10, 16), (3, 3), strides=(2, 2)),
    _depthwise("stride2_same_odd_five_channels", (2, 9, 7, 5), (3, 3), strides=(2, 2)),
    _depthwise("stride2_valid_33_channels", (1, 9, 8, 33), (3, 3), strides=(2, 2), padding="valid"),
    _depthwise("stride3_larger_than_kernel", (2, 8, 10, 5), (2, 2), strides=(3, 3), padding="valid"),
    _depthwise("stride4_skips_pixels", (1, 10, 11, 20), (1, 1), strides=(4, 4), padding="valid"),
    _depthwise("strides_1x2", (1, 8, 9, 6), (5, 3), strides=(1, 2)),
    _depthwise("strides_3x1_valid", (2, 9, 8, 3), (3, 5), strides=(3, 1), padding="valid"),
    _depthwise("dilation2_same", (2, 9, 8, 18), (3, 3), dilation=(2, 2)),
    _depthwise("dilation_1x3_valid_few_channels", (1, 7, 9, 3), (3, 2), padding="valid", dilation=(1, 3)),
    _depthwise("stride2_dilation2", (1, 9, 11, 6), (3, 3), strides=(2, 2), dilation=(2, 2)),
    _depthwise("multiplier_2", (2, 7, 7, 5), (3, 3), 2),
    _depthwise("multiplier_3_one_channel", (2, 6, 8, 1), (3, 3), 3, bias=False),
    _depthwise("multiplier_4_stride2_valid", (1, 9, 8, 9), (3, 3), 4, strides=(2, 2), padding="valid"),
    _depthwise("multiplier_16_dilation2", (1, 8, 7, 3), (3, 3), 16, dilation=(2, 2)),
    _depthwise("many_images", (37, 5, 5, 4), (3, 3)),
]


def _transposed(id, x, kernel, filters, strides=(1, 1), padding="valid", dilation=(1, 1), output_padding=None):
    """A transposed convolution of `x` (n, h, w, c) by `kernel` (h, w) into `filters` channels."""
    options = dict(strides=strides, padding=padding, dilation=dilation, output_padding=output_padding)
    return Case(id, {"x": x, "w": (*kernel, filters, x[3])}, options)


CONV2D_TRANSPOSE = [
    _transposed("1x1_one_pixel", (1, 1, 1, 1), (1, 1), 1),
    _transposed("3x3_valid", (2, 5, 6, 3), (3, 3), 5),
    _transposed("3x3_same", (2, 5, 6, 6), (3, 3), 5, padding="same"),
    _transposed("3x3_17_to_33", (2, 6, 5, 17), (3, 3), 33),
    _transposed("2x2_stride2", (2, 4, 5, 9), (2, 2), 6, (2, 2)),
    _transposed("3x3_stride2_same", (2, 4, 5, 16), (3, 3), 8, (2, 2), "same"),
    _transposed("4x4_stride2_same", (1, 5, 4, 8), (4, 4), 3, (2, 2), "same"),
    _transposed("2x2_stride3_larger_than_kernel", (2, 3, 4, 5), (2, 2), 4, (3, 3)),
    _transposed("1x3_strides_2x1_same", (1, 3, 7, 4), (1, 3), 5, (2, 1), "same"),
    _transposed("3x3_dilation2", (1, 5, 4, 3), (3, 3), 4, dilation=(2, 2)),
    _transposed("3x3_stride2_same_ends", (1, 4, 5, 3), (3, 3), 4, (2, 2), "same", output_padding=(1, 0)),
    _transposed("5x4_stride3_ends", (2, 3, 3, 3), (5, 4), 2, (3, 3), output_padding=(2, 1)),
    _transposed("empty_batch", (0, 4, 4, 3), (3, 3), 4, (2, 2)),
]
