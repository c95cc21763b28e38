"""Event files as TensorBoard reads them, through the messages of the package `tensorboard`."""
import os
import socket
import struct
import time
import zlib
from itertools import count

import numpy as np

from cnncore.nest import flatten

_number = count()


class EventFile:
    """A new event file in a folder.

    Args:
        folder: where the file is made; its name is that of the run.

    Raises:
        ImportError: the package `tensorboard` is missing.
        OSError: the file cannot be written.
    """

    def __init__(self, folder):
        try:
            from tensorboard.compat.proto import event_pb2
            from tensorboard.summary.writer.record_writer import RecordWriter
        except ImportError as error:
            raise ImportError("The callback TensorBoard needs the package tensorboard. Received: an environment without "
                              "it; install it with: pip install 'cnncore[tensorboard]'") from error
        os.makedirs(folder, exist_ok=True)
        # TensorBoard recognizes event files by this name and reads those of a folder in order.
        name = f"events.out.tfevents.{time.time():.0f}.{socket.gethostname()}.{os.getpid()}.{next(_number)}.v2"
        self._event = event_pb2.Event
        self._records = RecordWriter(open(os.path.join(folder, name), "wb"))
        self._write(file_version="brain.Event:2")
        self.flush()

    def write_scalar(self, tag, value, step):
        """A point of a curve; what is not one number is left out."""
        if np.ndim(value) == 0 and not isinstance(value, str):
            from tensorboard.plugins.scalar.summary_v2 import scalar_pb

            self._write(step=step, summary=scalar_pb(tag, float(value)))

    def write_histogram(self, tag, values, step):
        """How an array's values are spread; those that are not finite are left out."""
        from tensorboard.plugins.histogram.summary_v2 import histogram_pb

        values = values.ravel()
        self._write(step=step, summary=histogram_pb(tag, values[np.isfinite(values)].astype("float64")))

    def write_images(self, tag, images, step):
        """Pictures, a uint8 array (n, height, width, 1, 3 or 4)."""
        from tensorboard.compat.proto import summary_pb2
        from tensorboard.plugins.image.metadata import create_summary_metadata
        from tensorboard.util.tensor_util import make_tensor_proto

        size = [str(images.shape[2]).encode(), str(images.shape[1]).encode()]
        tensor = make_tensor_proto(np.array([*size, *map(png, images)], object))
        summary = summary_pb2.Summary()
        summary.value.add(tag=tag, tensor=tensor, metadata=create_summary_metadata(None, None))
        self._write(step=step, summary=summary)

    def write_graph(self, nodes):
        """A graph of (name, operation, names of inputs, attributes as text)."""
        from tensorboard.compat.proto import graph_pb2

        graph = graph_pb2.GraphDef()
        graph.versions.producer = 22
        for name, operation, inputs, attributes in nodes:
            node = graph.node.add(name=name, op=operation, input=inputs)
            for key, text in attributes.items():
                node.attr[key].s = text.encode()
        self._write(graph_def=graph.SerializeToString())

    def write_model(self, config):
        """A model's JSON, which TensorBoard shows as its conceptual graph."""
        from tensorboard.compat.proto import summary_pb2
        from tensorboard.util.tensor_util import make_tensor_proto

        summary = summary_pb2.Summary()
        value = summary.value.add(tag="keras", tensor=make_tensor_proto(config.encode()))
        value.metadata.plugin_data.plugin_name = "graph_keras_model"
        value.metadata.plugin_data.content = b"1"
        self._write(step=0, summary=summary)

    def flush(self):
        """Hands what was written to the system, for TensorBoard to see."""
        self._records.flush()

    def close(self):
        """Ends the file."""
        if not self._records.closed:
            self._records.close()

    def _write(self, **content):
        self._records.write(self._event(wall_time=time.time(), **content).SerializeToString())


def layer_graph(model):
    """(nodes of the model's layers for `write_graph`, its JSON or None if it has none)."""
    if hasattr(model, "_nodes"):
        pairs = [(node.operation, [tensor._keras_history.operation for tensor in node.input_tensors])
                 for node in model._nodes]
    else:
        row = model.layers if hasattr(model, "add") else []  # the layers of a class of the user's are in no order
        pairs = list(zip(model.layers, [[], *([layer] for layer in row)] if row else [[]] * len(model.layers),
                         strict=False))
    nodes = {}
    for layer, sources in pairs:  # a layer that is called twice is one node with the inputs of both calls
        inputs = nodes.setdefault(layer.name, (layer.name, type(layer).__name__, [], _attributes(layer)))[2]
        inputs += [source.name for source in sources if source.name not in inputs]
    try:
        return list(nodes.values()), model.to_json()
    except (ValueError, TypeError, NotImplementedError):  # a class of the user's that does not say how it is made
        return list(nodes.values()), None


def _attributes(layer):
    """What TensorBoard shows of a layer when it is clicked."""
    activation = getattr(getattr(layer, "activation", None), "__name__", None)
    found = {} if activation is None else {"activation": activation}
    nodes = getattr(layer, "_inbound_nodes", ())
    if nodes:
        found["output_shape"] = ", ".join(str(tuple(tensor.shape)) for tensor in flatten(nodes[0].outputs))
    return found


def png(image):
    """A uint8 array (height, width, 1, 3 or 4 channels) as the bytes of a PNG file."""
    height, width, channels = image.shape
    lines = np.zeros((height, 1 + width * channels), "uint8")  # before each line a 0: no filter
    lines[:, 1:] = image.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, {1: 0, 3: 2, 4: 6}[channels], 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes())), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(struct.pack(">I", len(data)) + kind + data
                                           + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks)
