"""Iterator over image files that a table names."""
import os
import warnings

import numpy as np

from cnncore.preprocessing.image.iterators import FilesIterator

_WITHOUT_CLASSES = ("input", "multi_output", "raw", None)


class DataFrameIterator(FilesIterator):
    """Batches of transformed images that a table names; see `ImageDataGenerator.flow_from_dataframe`.

    The table is a pandas DataFrame, or anything else whose columns are found by `table[name]`, such as a dict of lists.

    Attributes:
        class_indices: dict from the classes' names to their numbers.
        classes: the number of each file's class, or a list of numbers.
        samples: how many files there are.
    """

    allowed_class_modes = {"binary", "categorical", "input", "multi_output", "raw", "sparse", None}

    def __init__(self, dataframe, directory=None, image_data_generator=None, x_col="filename", y_col="class",
                 weight_col=None, target_size=(256, 256), color_mode="rgb", classes=None, class_mode="categorical",
                 batch_size=32, shuffle=True, seed=None, data_format="channels_last", save_to_dir=None, save_prefix="",
                 save_format="png", subset=None, interpolation="nearest", keep_aspect_ratio=False, dtype="float32",
                 validate_filenames=True):
        self._set_files(image_data_generator, target_size, color_mode, data_format, save_to_dir, save_prefix, save_format,
                        subset, interpolation, keep_aspect_ratio, dtype)
        if class_mode not in self.allowed_class_modes:
            raise ValueError("class_mode is 'binary', 'categorical', 'input', 'multi_output', 'raw', 'sparse' or None. "
                             f"Received: class_mode={class_mode!r}")
        self.directory, self.class_mode = directory or "", class_mode
        names = self._names(dataframe, x_col)
        columns = self._targets_of(dataframe, y_col)
        weights = None if not weight_col else np.asarray(dataframe[weight_col])
        if weights is not None and weights.dtype.kind not in "biuf":
            raise TypeError(f"The column weight_col={weight_col!r} holds numbers. Received: dtype {weights.dtype}")
        rows = self._valid(names, x_col) if validate_filenames else list(range(len(names)))
        if class_mode not in _WITHOUT_CLASSES:
            rows, found = self._with_classes(columns[0], rows, classes, y_col)
            self.class_indices = {name: i for i, name in enumerate(found)}
        elif classes:
            warnings.warn(f"classes has no meaning for class_mode={class_mode!r}", stacklevel=3)
        rows = rows[self._part(len(rows))]
        if class_mode not in _WITHOUT_CLASSES:
            self.classes = [self._numbers_of(columns[0][i]) for i in rows]
        elif class_mode in ("raw", "multi_output"):
            values = [np.array([column[i] for i in rows]) for column in columns]
            self._targets = values if class_mode == "multi_output" else \
                values[0] if not isinstance(y_col, (list, tuple)) else np.stack(values, axis=1)
        self.filenames = [names[i] for i in rows]
        self._sample_weight = None if weights is None else weights[rows]
        self._filepaths = [os.path.join(self.directory, name) for name in self.filenames]
        self.samples = len(rows)
        known = "" if class_mode in _WITHOUT_CLASSES else f" belonging to {len(self.class_indices)} classes"
        print(f"Found {self.samples} {'' if validate_filenames else 'non-'}validated image filenames{known}.")
        super().__init__(self.samples, batch_size, shuffle, seed)

    @property
    def labels(self):
        return self._targets if self.class_mode in ("multi_output", "raw") else self.classes

    @property
    def sample_weight(self):
        return self._sample_weight

    # ---- reading the table ---------------------------------------------------------------------------------------

    def _names(self, table, column):
        names = list(table[column])
        if not all(isinstance(name, str) for name in names):
            raise TypeError(f"The column x_col={column!r} holds names of files as strings. Received: other values in it")
        return names

    def _targets_of(self, table, y_col):
        """The target columns as lists, checked for the class mode."""
        mode = self.class_mode
        if mode in ("input", None):
            return []
        if mode == "multi_output" and not isinstance(y_col, (list, tuple)):
            raise TypeError(f"class_mode='multi_output' needs a list of columns. Received: y_col={y_col!r}")
        columns = [list(table[name]) for name in (y_col if isinstance(y_col, (list, tuple)) else [y_col])]
        if mode in _WITHOUT_CLASSES:
            return columns
        kinds = str if mode in ("binary", "sparse") else (str, list, tuple)
        if not all(isinstance(value, kinds) for value in columns[0]):
            raise TypeError(f"The column y_col={y_col!r} holds strings for class_mode={mode!r}. Received: other values in "
                            "it; use astype(str)")
        return columns

    def _valid(self, names, x_col):
        """The rows whose files exist and are images by their names."""
        rows = [i for i, name in enumerate(names) if name.lower().endswith(self.white_list_formats)
                and os.path.isfile(os.path.join(self.directory, name))]
        if len(rows) < len(names):
            warnings.warn(f"{len(names) - len(rows)} names in x_col={x_col!r} are no image files in {self.directory!r}, "
                          "and are left out", stacklevel=4)
        return rows

    def _with_classes(self, column, rows, classes, y_col):
        """(the rows that belong to the classes, the classes)."""
        values = [value if isinstance(value, (list, tuple)) else [value] for value in column]
        known = list(dict.fromkeys(classes)) if classes else sorted({one for i in rows for one in values[i]})
        if self.class_mode == "binary" and len(known) != 2:
            raise ValueError(f"class_mode='binary' needs two classes. Received: {known} in y_col={y_col!r}")
        return [i for i in rows if any(one in known for one in values[i])], known

    def _numbers_of(self, value):
        if isinstance(value, (list, tuple)):
            return [self.class_indices[one] for one in value if one in self.class_indices]
        return self.class_indices[value]
