"""The loops over batches of fit, evaluate and predict."""
import warnings

import numpy as np

from cnncore import executor
from cnncore.callbacks import CallbackList, LazyLogs
from cnncore.callbacks.lazy_logs import python_logs
from cnncore.models.advice import warn_of_last_layers, warn_of_nan
from cnncore.models.data import Batches, Stream, batches_of, is_array_like, split_validation, unpack_x_y_sample_weight
from cnncore.models.steps import Collector, Runner, shapes_of, values_of
from cnncore.models.training import Training
from cnncore.nest import flatten
from cnncore.random import as_integer


def fit(model, x, y, batch_size, epochs, verbose, callbacks, validation_split, validation_data, shuffle, class_weight,
        sample_weight, initial_epoch, steps_per_epoch, validation_steps, validation_batch_size, validation_freq):
    """Trains a model; see `Trainer.fit`."""
    for name, value, least in (("epochs", epochs, 0), ("initial_epoch", initial_epoch, 0)):
        if as_integer(value) is None or value < least:
            raise ValueError(f"{name} must be an integer of {least} or more. Received: {name}={value!r}")
    _validates(0, validation_freq)
    if validation_split and validation_data is None:
        (x, y, sample_weight), validation_data = split_validation(x, y, sample_weight, validation_split)
    integers = _integer_inputs(model)
    data = batches_of(x, y, sample_weight, batch_size, steps_per_epoch, shuffle, class_weight, integers)
    prepare(model, data, "fit", learns=True)
    validation = None
    if validation_data is not None:
        val_x, val_y, val_weight = unpack_x_y_sample_weight(validation_data)
        if val_y is None and y is not None and is_array_like(val_x):
            raise ValueError("validation_data is a tuple (x_val, y_val), or batches of such. Received: an array of shape "
                             f"{np.shape(val_x)}; pass its targets too, validation_data=(x_val, y_val)")
        validation = batches_of(val_x, val_y, val_weight, validation_batch_size or batch_size, validation_steps,
                                integers=integers)
        if isinstance(validation, Batches):
            check_targets(model, validation)
    if not isinstance(callbacks, CallbackList):
        callbacks = CallbackList(callbacks, add_history=True, add_progbar=verbose != 0, model=model, verbose=verbose,
                                 epochs=epochs, steps=data.steps)
    train, test = Runner(model, "train", bound=True), Runner(model, "test", bound=True)
    model.stop_training = False
    training = Training(model, data, callbacks, initial_epoch)
    object.__setattr__(model, "_training", training)
    try:
        callbacks.on_train_begin()  # where a killed training may be taken up again
        logs, warned = None, False
        for epoch in range(training.epoch, epochs):
            done = training.batch
            if not done:
                model.reset_metrics()
            callbacks.on_epoch_begin(epoch)
            step = run_epoch(model, train, data, epoch, callbacks.on_train_batch_begin, callbacks.on_train_batch_end,
                             "stop_training", training)
            if step is None and not done and logs is not None:  # no batch: nothing is better than it was
                logs = {name: value for name, value in logs.items() if not name.startswith("val_")}
            else:
                logs = epoch_logs(model, step)
            warned = warned or warn_of_nan(epoch, logs, data)
            training.epoch, training.batch = epoch + 1, 0
            if validation is not None and _validates(epoch, validation_freq):
                found = run_evaluation(model, test, validation, callbacks)
                logs.update({f"val_{name}": value for name, value in found.items()})
            callbacks.on_epoch_end(epoch, logs)
            if model.stop_training or step is None and not done:
                break
        if model.optimizer is not None and epochs > 0:
            model.optimizer.finalize_variable_values(model.trainable_weights)
        callbacks.on_train_end(logs)
    finally:
        object.__setattr__(model, "_training", None)  # it holds the data
        for runner in (train, test):
            runner.close()
    return model.history


def evaluate(model, x, y, batch_size, verbose, sample_weight, steps, callbacks):
    """The logs of a model on data; see `Trainer.evaluate`."""
    data = batches_of(x, y, sample_weight, batch_size, steps, integers=_integer_inputs(model))
    prepare(model, data, "evaluate", learns=False)
    if not isinstance(callbacks, CallbackList):
        callbacks = CallbackList(callbacks, add_progbar=verbose != 0, model=model, verbose=verbose, epochs=1,
                                 steps=data.steps)
    return run_evaluation(model, Runner(model, "test"), data, callbacks)


def run_evaluation(model, runner, data, callbacks):
    """Evaluates a model on batches."""
    model.stop_evaluating = False
    data.restart()
    callbacks.on_test_begin()
    model.reset_metrics()
    step = run_epoch(model, runner, data, 0, callbacks.on_test_batch_begin, callbacks.on_test_batch_end,
                     "stop_evaluating")
    logs = epoch_logs(model, step)
    callbacks.on_test_end(logs)
    return logs


def predict(model, x, batch_size, verbose, steps, callbacks):
    """The outputs of a model; see `Trainer.predict`."""
    data = batches_of(x, None, None, batch_size, steps, integers=_integer_inputs(model))
    if not isinstance(callbacks, CallbackList) and (callbacks or verbose != 0):
        callbacks = CallbackList(callbacks, add_progbar=verbose != 0, model=model, verbose=verbose, epochs=1,
                                 steps=data.steps)
    callbacks = callbacks or None
    if isinstance(data, Batches):
        check_inputs(model, data)
    runner = Runner(model, "predict")
    model.stop_predicting = False
    if callbacks is not None:
        callbacks.on_predict_begin()
    collector = Collector(data.rows if isinstance(data, Batches) else None)
    for number, (batches, first, rows) in enumerate(_batches(data, 0)):
        if callbacks is not None:
            callbacks.on_predict_batch_begin(number)
        seen = []

        def take(outputs, rows=rows, seen=seen):
            collector.add(outputs, rows)
            if callbacks is not None and callbacks.wants("predict"):
                seen.append(values_of(outputs))

        runner.fetch(batches, first, rows, take)
        if callbacks is not None:
            callbacks.on_predict_batch_end(number, {"outputs": seen[0]} if seen else None)
        if model.stop_predicting:
            break
    if collector.nest is None:
        raise ValueError("There must be at least one batch to predict. Received: x without any")
    if callbacks is not None:
        callbacks.on_predict_end()
    return collector.result()


def on_batch(model, kind, x, y, sample_weight, class_weight=None):
    """The logs of one step on one batch."""
    data = _one_batch(model, x, y, sample_weight, class_weight)
    prepare(model, data, f"{kind}_on_batch", learns=kind == "train")
    model.reset_metrics()
    step = Runner(model, kind).run(data, 0, data.rows)
    return python_logs(step_logs(model, step))


def predict_on_batch(model, x):
    """The outputs of one batch."""
    data = _one_batch(model, x, None, None)
    check_inputs(model, data)
    found = []
    Runner(model, "predict").fetch(data, 0, data.rows, lambda outputs: found.append(values_of(outputs)))
    return found[0]


def _one_batch(model, x, y, sample_weight, class_weight=None):
    if x is None:
        raise ValueError("x is the batch to work on. Received: x=None; pass an array or a nest of arrays")
    return Batches(x, y, sample_weight, steps=1, class_weight=class_weight, integers=_integer_inputs(model))


def run_epoch(model, runner, data, epoch, on_begin, on_end, stop, training=None):
    """Runs one epoch, or the rest of one that was begun, and returns its last step; None if there was no batch."""
    step, number, group = None, 0 if training is None else training.batch, model.steps_per_execution
    done = number

    def read():
        return step_logs(model, step)

    stream = isinstance(data, Stream)
    for batches, first, rows in _batches(data, epoch, done):
        if number % group == 0:
            on_begin(number)
        if stream:
            check_targets(model, batches)
        step = runner.run(batches, first, rows)
        number += 1
        if training is not None:
            training.batch = number
        if number % group == 0:
            on_end(number - 1, LazyLogs(read))
            if getattr(model, stop):
                return step
    if number % group:
        on_end(number - 1, LazyLogs(read))
    if data.steps_per_epoch and number < data.steps_per_epoch:
        fix = "let the generator go on for all epochs, in a loop `while True:` for instance" if stream else "give more data"
        warnings.warn(f"An epoch of {data.steps_per_epoch} steps takes as many batches. Received: data that ended after "
                      f"{number} batches of epoch {epoch + 1}; {fix}, or pass a smaller steps_per_epoch", stacklevel=4)
    elif step is None and not done:
        warnings.warn("The data had no batch for this epoch: a generator ends once; pass steps_per_epoch and let it go "
                      "on for all epochs", stacklevel=4)
    return step


def _batches(data, epoch, skip=0):
    """(Batches, first row, rows) of each batch of an epoch."""
    if isinstance(data, Stream):
        for batches in data.epoch(epoch, skip):
            yield batches, 0, batches.rows
    else:
        for first, rows in data.epoch(epoch, skip):
            yield data, first, rows


def step_logs(model, step):
    """The logs after a step: what it returned, or the metrics' results."""
    if step is None or step.outputs is None:
        return model.get_metrics_result()
    return step.outputs if isinstance(step.outputs, dict) else {}


def epoch_logs(model, step):
    """The logs of a whole epoch: the metrics' results, unless the last step returned something else."""
    results = model.get_metrics_result()
    if step is None or step.outputs is None or set(step.outputs) == set(results):
        return python_logs(results)
    return python_logs(step.outputs)


def _validates(epoch, frequency):
    """Whether an epoch ends with a validation."""
    if as_integer(frequency) is not None and frequency > 0:
        return (epoch + 1) % frequency == 0
    if isinstance(frequency, (list, tuple, set)):
        return epoch + 1 in frequency
    raise ValueError("validation_freq is an integer of 1 or more, or a list of epochs. Received: "
                     f"validation_freq={frequency!r}")


def _integer_inputs(model):
    """For each input, whether it takes integers; others get float32."""
    inputs = getattr(model, "inputs", None)
    return [str(one.dtype).startswith("int") for one in flatten(inputs)] if inputs else ()


def check_inputs(model, batches):
    """Raises ValueError for lists of another number of arrays than the model has inputs."""
    inputs, x = getattr(model, "inputs", None), batches.nest[0]
    if inputs and not isinstance(x, dict) and len(flatten(x)) != len(flatten(inputs)):
        raise ValueError(f"The model {model.name!r} takes {len(flatten(inputs))} input(s). Received: x with "
                         f"{len(flatten(x))} arrays; stack samples into one array with np.stack, or pass one array for "
                         "each input")


# ---- before the first step ---------------------------------------------------------------------------------------

def prepare(model, data, method, learns):
    """Makes what does not exist yet - weights, the optimizer's variables, metrics - and checks the targets."""
    first = data.first() if isinstance(data, Stream) else data
    check_inputs(model, first)
    with model._plans.lock:
        build(model, first, method)
        if learns and model.optimizer is not None and not model.optimizer.built and model.built:
            model.optimizer.build(model.trainable_variables)
    warn_of_last_layers(model)
    if isinstance(data, Batches):
        check_targets(model, data)


def build(model, batches, method):
    """Runs the model for shapes only, if it, its loss or its metrics do not know theirs yet."""
    loss, metrics = model._compile_loss, model._compile_metrics
    unbuilt = [part for part in (loss, metrics) if part is not None and not part.built]
    if model.built and not unbuilt:
        return
    own_steps = type(model).train_step.__module__ == type(model).test_step.__module__ == "cnncore.models.trainer"
    try:
        with executor.use(executor.Shapes()), executor.no_grad():
            x, y, _ = unpack_x_y_sample_weight(shapes_of(batches))
            y_pred = model(x, training=False)
            if y_pred is None and own_steps:
                raise ValueError(f"The call() of the model {model.name!r} must return its output. Received: None; end it "
                                 "with return")
            for part in unbuilt:
                part.build(y, y_pred)
    except NotImplementedError:
        if own_steps:  # a model that is trained by steps of its own need not have an output
            raise
    except RuntimeError:
        if own_steps and not model.run_eagerly:
            raise


def check_targets(model, batches):
    """Raises ValueError for targets that the model's loss cannot take."""
    if model._compile_loss is not None and model._compile_loss.built:
        model._compile_loss.check_targets(batches)
