"""Models to files and back: '.keras', '.weights.h5' and JSON, and the methods by which models do it."""
import json
import os
import warnings

from cnncore.saving import legacy_config, limits
from cnncore.saving.serialization import deserialize_keras_object, serialize_keras_object, sharing_scope
from cnncore.utils.budget import weight_budget


class Saveable:
    """What makes a model one that can be saved; `Model` inherits it."""

    def save(self, filepath, overwrite=True, zipped=None, **kwargs):
        """Saves the model, its weights and the state of its training in one file that Keras reads too.

        Args:
            filepath: string or path that ends in '.keras', or in '.h5' for the layout of Keras 1 and 2.
            overwrite: whether a file of that name may be replaced.
            zipped: accepted for compatibility; None or True.

        Raises:
            ValueError: the ending is another one, or a layer cannot be saved.
            FileExistsError: there is such a file and `overwrite` is False.
            OSError: the file cannot be written; the old one is unchanged.
        """
        save_model(self, filepath, overwrite=overwrite, zipped=zipped, **kwargs)

    def save_weights(self, filepath, overwrite=True, max_shard_size=None):
        """Saves the weights, and the optimizer's state where there is one, in Keras's layout.

        Args:
            filepath: string or path that ends in '.weights.h5' or '.safetensors', or in '.h5' for weights alone in the
                layout of Keras 1 and 2, which can be loaded by name.
            overwrite: whether a file of that name may be replaced.
            max_shard_size: only None is supported: weights are one file.

        Raises:
            ValueError: the ending is another one, or the model has no weights yet.
            FileExistsError: there is such a file and `overwrite` is False.
            OSError: the file cannot be written; the old one is unchanged.
        """
        save_weights(self, filepath, overwrite, max_shard_size)

    def load_weights(self, filepath, skip_mismatch=False, by_name=False):
        """Sets the weights, and the optimizer's state where there is one, from a file; all of them or none.

        Args:
            filepath: string or path that ends in '.weights.h5', '.keras' or '.safetensors', or in '.h5' as Keras 1 and
                2 wrote it.
            skip_mismatch: whether layers that do not fit keep their weights, with a warning.
            by_name: whether layers are matched by name, which only the files of Keras 1 and 2 allow.

        Raises:
            ValueError: the file is damaged or holds another model's weights.
            OSError: the file cannot be read.
        """
        load_weights(self, filepath, skip_mismatch=skip_mismatch, by_name=by_name)

    def export(self, filepath, format="onnx", verbose=None, input_signature=None, **kwargs):
        """Writes what the model computes in inference for other programs, as an ONNX file; needs the extra [onnx].

        Args:
            filepath: string or path that ends in '.onnx'.
            format: 'onnx'.
            verbose: accepted for compatibility.
            input_signature: accepted for compatibility, None: the inputs are the model's.
            **kwargs: none are known.

        Raises:
            ValueError: another format or ending, or a layer that ONNX has no counterpart of.
            ImportError: the package onnx is not installed.
            OSError: the file cannot be written; the old one is unchanged.
        """
        from cnncore.onnx import export

        if format != "onnx" or input_signature is not None or kwargs:
            raise ValueError("A model is exported with format='onnx' and its own inputs. Received: "
                             f"format={format!r}, input_signature={input_signature!r}, {kwargs}; leave them out")
        export(self, filepath)

    def build_from_config(self, config):
        """Makes the weights for the shapes that a file says the model was built for."""
        shape = config.get("input_shape")
        if shape is not None:
            self.build(_as_tuples(shape))

    def to_json(self, **kwargs):
        """The model's configuration, without weights, as JSON for `models.model_from_json`.

        Args:
            **kwargs: passed on to `json.dumps`, such as `indent`.
        """
        with sharing_scope():
            return json.dumps(serialize_keras_object(self), **kwargs)


def save_model(model, filepath, overwrite=True, zipped=None, **kwargs):
    """Saves a model; the same as `model.save(filepath)`.

    Args:
        model: the model.
        filepath: string or path that ends in '.keras', or in '.h5' for the layout of Keras 1 and 2.
        overwrite: whether a file of that name may be replaced.
        zipped: accepted for compatibility; None or True.
        **kwargs: include_optimizer, whether an '.h5' file keeps how the model was compiled; save_format, which the
            file's ending says already.

    Raises:
        ValueError: the ending is another one, or a layer cannot be saved.
        FileExistsError: there is such a file and `overwrite` is False.
        OSError: the file cannot be written; the old one is unchanged.
    """
    from cnncore.saving import atomic, container, h5_store, legacy_h5_write, state

    path = _check_path(filepath, (".keras", ".h5", ".hdf5"), "A model is saved in a file that ends in '.keras', or in "
                       "'.h5'")
    include_optimizer = kwargs.pop("include_optimizer", True)
    kwargs.pop("save_format", None)
    if kwargs:
        raise ValueError("A model is saved with filepath, overwrite, zipped, include_optimizer. Received: "
                         f"{', '.join(kwargs)}; leave it out")
    if zipped not in (None, True):
        raise ValueError(f"A model is saved as one zipped file. Received: zipped={zipped!r}, leave it out")
    _check_overwrite(path, overwrite)
    if not model.built:
        warnings.warn(f"The model {model.name!r} has no weights yet, so the file will hold none; call it on data or "
                      "give it an Input first", stacklevel=3)
    if not path.endswith(".keras"):
        _check_built(model, "saved")
        data = legacy_h5_write.pack(model, include_optimizer)
        atomic.write_bytes(path, [data, h5_store.trailer(data)])
        return
    with sharing_scope():
        config = serialize_keras_object(model)
    container.write(path, config, h5_store.pack(state.entries(model)))


def load_model(filepath, custom_objects=None, compile=True, safe_mode=True):
    """Loads a model from a '.keras' file of this library or of Keras, or from an '.h5' file of Keras 1 and 2.

    Args:
        filepath: string or path of the file.
        custom_objects: dict from names to classes or functions of yours that the model uses.
        compile: whether to compile the model as it was when it was saved, and to restore its optimizer.
        safe_mode: accepted for compatibility; code in a file is never run.

    Returns:
        The model.

    Raises:
        ValueError: the file is damaged, or names a class that is neither the library's nor registered.
        OSError: the file cannot be read.

    Example:
        >>> import os, tempfile, cnncore
        >>> model = cnncore.Sequential([cnncore.Input((4,)), cnncore.layers.Dense(2)])
        >>> path = os.path.join(tempfile.mkdtemp(), "small.keras")
        >>> model.save(path)
        >>> load_model(path).count_params()
        10
    """
    from cnncore.saving import container, h5_store, state

    path = _check_path(filepath, (".keras", ".h5", ".hdf5"), "A model is loaded from a file that ends in '.keras' or "
                       "'.h5'")
    where = _where(path)
    if not path.endswith(".keras"):
        return _load_legacy(path, where, custom_objects, compile)
    config, weights = container.read(path, where)
    if not compile:
        config.pop("compile_config", None)
    with h5_store.H5Reader(weights, f"model.weights.h5 in {where}") as reader:
        model = _from_config(config, custom_objects, where, _budget(reader))
        if model.built:
            state.load(model, reader)
    return model


def _load_legacy(path, where, custom_objects, compile):
    """A whole model from the one HDF5 file of Keras 1 and 2."""
    from cnncore.saving import h5_store, legacy_h5

    with open(path, "rb") as file, h5_store.H5Reader(file, where) as reader:
        model = _from_config(legacy_h5.config_of(reader), custom_objects, where, _budget(reader))
        legacy_h5.load_weights(model, reader)
        training = legacy_h5.training_of(reader) if compile else None
        if training is not None:
            with sharing_scope(where):
                model.compile(**deserialize_keras_object(training, custom_objects))
            legacy_h5.load_optimizer(model, reader)
    return model


def save_weights(model, filepath, overwrite=True, max_shard_size=None, **kwargs):
    """Saves a model's weights; the same as `model.save_weights(filepath)`.

    Args:
        model: a built model.
        filepath: string or path that ends in '.weights.h5' or '.safetensors', or in '.h5' for weights alone in the
            layout of Keras 1 and 2, which can be loaded by name.
        overwrite: whether a file of that name may be replaced.
        max_shard_size: only None is supported: weights are one file.
        **kwargs: none are known.

    Raises:
        ValueError: the ending is another one, or the model has no weights yet.
        FileExistsError: there is such a file and `overwrite` is False.
        OSError: the file cannot be written; the old one is unchanged.
    """
    from cnncore.saving import atomic, h5_store, legacy_h5_write, safetensors, state

    if max_shard_size is not None or kwargs:
        raise ValueError("Weights are saved with filepath and overwrite, in one file. Received: "
                         f"{', '.join(kwargs) or f'max_shard_size={max_shard_size!r}'}; leave it out")
    path = _check_path(filepath, (".weights.h5", ".safetensors", ".h5", ".hdf5"), "Weights are saved in a file that ends "
                       "in '.weights.h5' or '.safetensors', or in '.h5'")
    _check_built(model, "saved")
    _check_overwrite(path, overwrite)
    if path.endswith(".safetensors"):
        safetensors.write(path, state.entries(model))
        return
    modern = path.endswith(".weights.h5")
    data = h5_store.pack(state.entries(model)) if modern else legacy_h5_write.pack_weights(model)
    atomic.write_bytes(path, [data, h5_store.trailer(data)])


def load_weights(model, filepath, skip_mismatch=False, by_name=False):
    """Sets a model's weights from a file; the same as `model.load_weights(filepath)`.

    Args:
        model: a built model.
        filepath: string or path that ends in '.weights.h5', '.keras' or '.safetensors', or in '.h5' as Keras 1 and 2
            wrote it.
        skip_mismatch: whether layers that do not fit keep their weights, with a warning.
        by_name: whether layers are matched by name, which only the files of Keras 1 and 2 allow.

    Raises:
        ValueError: the file is damaged or holds another model's weights.
        OSError: the file cannot be read.
    """
    from cnncore.saving import container, h5_store, legacy_h5, safetensors, state

    path = _check_path(filepath, (".weights.h5", ".keras", ".safetensors", ".h5", ".hdf5"), "Weights are loaded from a "
                       "file that ends in '.weights.h5', '.keras', '.safetensors' or '.h5'")
    _check_built(model, "loaded")
    where = _where(path)
    if path.endswith(".keras"):
        _check_order(by_name, where)
        with h5_store.H5Reader(container.read(path, where)[1], f"model.weights.h5 in {where}") as reader:
            state.load(model, reader, skip_mismatch)
        return
    if path.endswith(".safetensors"):
        _check_order(by_name, where)
        with open(path, "rb") as file:
            state.load(model, safetensors.SafetensorsReader(file, where), skip_mismatch)
        return
    with open(path, "rb") as file, h5_store.H5Reader(file, where) as reader:
        if legacy_h5.is_legacy(reader):
            legacy_h5.load_weights(model, reader, skip_mismatch, by_name)
        else:
            _check_order(by_name, where)
            state.load(model, reader, skip_mismatch)


def load_body(model, filepath):
    """Sets the weights of a network without its classifier, from a file of the network without it or with it."""
    from cnncore.saving import h5_store, legacy_h5

    path = os.fspath(filepath)
    if path.endswith((".h5", ".hdf5")):
        with open(path, "rb") as file, h5_store.H5Reader(file, _where(path)) as reader:
            if legacy_h5.is_legacy(reader):
                legacy_h5.load_weights(model, reader, more=True)
                return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*also holds layers that this model does not have")
        load_weights(model, filepath)


def model_from_json(json_string, custom_objects=None):
    """A model with new weights from what `model.to_json()` returned, here or in Keras.

    Args:
        json_string: the JSON text.
        custom_objects: dict from names to classes or functions of yours that the model uses.

    Raises:
        ValueError: the text is no configuration of a model, or names a class that is neither the library's nor
            registered.
    """
    if not isinstance(json_string, (str, bytes)):
        raise ValueError(f"A model's JSON is a string. Received: {type(json_string).__name__}")
    data = json_string.encode() if isinstance(json_string, str) else json_string
    config = limits.parse_json(data, "the JSON text")
    if legacy_config.is_old(config.get("keras_version")):
        config = legacy_config.modern_model(config)
    return _from_config(config, custom_objects, "the JSON text", None)


def _from_config(config, custom_objects, where, budget):
    """The model that a configuration describes, its weights within a budget of bytes."""
    from cnncore import models

    with sharing_scope(where):
        if budget is None:
            model = deserialize_keras_object(config, custom_objects)
        else:
            with weight_budget(budget, where):
                model = deserialize_keras_object(config, custom_objects)
    if not isinstance(model, models.Model):
        raise ValueError(f"{where} must describe a model. Received: a {type(model).__name__}")
    return model


def _as_tuples(shapes):
    """Shapes out of a file: their lists of numbers become tuples."""
    if isinstance(shapes, dict):
        return {key: _as_tuples(shape) for key, shape in shapes.items()}
    nested = any(isinstance(part, (list, tuple, dict)) for part in shapes)
    return [_as_tuples(shape) for shape in shapes] if nested else tuple(shapes)


def _budget(reader):
    """Bytes of weights that a model may have whose file this is: what is in it, and room for what files do not keep."""
    return 2 * reader.total_bytes + (1 << 20)


def _check_order(by_name, where):
    if by_name:
        raise ValueError(f"Layers are matched by name in '.h5' files of Keras 1 and 2 only. Received: by_name=True for "
                         f"{where}, leave it out")


def _where(path):
    return f"the file {path!r}"


def _check_path(filepath, endings, rule):
    path = os.fspath(filepath) if isinstance(filepath, (str, os.PathLike)) else None
    if not isinstance(path, str) or not path.endswith(endings):
        fix = f"; write {os.path.splitext(path)[0] + endings[0]!r}" if isinstance(path, str) and path else ""
        raise ValueError(f"{rule}. Received: {filepath!r}{fix}")
    return path


def _check_overwrite(path, overwrite):
    if not overwrite and os.path.exists(path):
        raise FileExistsError(f"With overwrite=False a file is not replaced. Received: {path!r}, which exists; choose "
                              "another name")


def _check_built(model, verb):
    if not model.built:
        raise ValueError(f"The weights of a model are {verb} once it has some. Received: the model {model.name!r}, "
                         "which is not built; call it on data, or give it an Input, first")
