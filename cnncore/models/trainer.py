"""Trainer: what every model does with data - compile, fit, evaluate, predict, and the steps these are made of."""
import inspect
import warnings

from cnncore import _core, executor, metrics, ops, optimizers
from cnncore.models import loops
from cnncore.models.compiled import CompileLoss, CompileMetrics, as_list
from cnncore.models.data import unpack_x_y_sample_weight
from cnncore.models.steps import MetricLogs, Plans
from cnncore.nest import flatten
from cnncore.ops.conv2d import strict
from cnncore.tensor import GradientTape, Tensor, Variable, convert


class Former:
    """A method that Keras had in former times: an attribute that is not there, with a word on what to use instead."""

    def __init__(self, instead):
        self.instead = instead

    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, model, cls=None):
        raise AttributeError(f"Keras 3 has no {self.name}(). Received: a call of it on {(cls or type(model)).__name__}; "
                             f"use {self.instead}")


class Trainer:
    """The part of a model that trains it. See `Model`."""

    compiled = False
    optimizer = None
    loss = None
    history = None
    stop_training = False
    stop_evaluating = False
    stop_predicting = False
    run_eagerly = False
    jit_compile = False
    steps_per_execution = 1
    _compile_loss = None
    _compile_metrics = None
    _loss_tracker = None
    _compile_arguments = None
    _training = None  # the running fit, see models/training.py

    # ---- compile -------------------------------------------------------------------------------------------------

    def compile(self, optimizer="rmsprop", loss=None, loss_weights=None, metrics=None, weighted_metrics=None,
                run_eagerly=False, steps_per_execution=1, jit_compile="auto", auto_scale_loss=True):
        """Says how the model is to be trained.

        Args:
            optimizer: name such as 'adam', or an `Optimizer`.
            loss: name such as 'mse', `Loss` or function of (y_true, y_pred); for several outputs also a list or a
                dict by output of them, None for an output without.
            loss_weights: numbers that the losses of several outputs are multiplied by, as a list or dict.
            metrics: list of names such as 'accuracy', `Metric`s or functions, or a single one; for several outputs a
                list or dict of such lists.
            weighted_metrics: likewise; these take sample weights into account.
            run_eagerly: whether steps run operation by operation, so that Python code in them sees values. The
                results are the same to the bit; it is slower.
            steps_per_execution: batches between two calls of the callbacks.
            jit_compile: accepted for compatibility; steps are always recorded into plans unless run eagerly.
            auto_scale_loss: accepted for compatibility.

        Raises:
            ValueError: a name is unknown, or an argument has the wrong form.

        Example:
            >>> import cnncore
            >>> model = cnncore.Sequential([cnncore.Input((4,)), cnncore.layers.Dense(1)])
            >>> model.compile(optimizer="adam", loss="mse", metrics=["mae"])
        """
        if not isinstance(steps_per_execution, int) or steps_per_execution < 1:
            raise ValueError("steps_per_execution must be an integer of 1 or more. Received: "
                             f"steps_per_execution={steps_per_execution!r}")
        metrics, weighted_metrics = as_list(metrics), as_list(weighted_metrics)
        names = getattr(self, "output_names", None)
        compile_loss = None if loss is None else CompileLoss(loss, loss_weights, names)
        compile_metrics = None
        if metrics is not None or weighted_metrics is not None:
            compile_metrics = CompileMetrics(metrics, weighted_metrics, names)
        self.optimizer = optimizers.get(optimizer)
        for name, value in (("loss", loss), ("_compile_loss", compile_loss), ("_compile_metrics", compile_metrics),
                            ("_loss_tracker", _loss_mean()), ("run_eagerly", bool(run_eagerly)),
                            ("steps_per_execution", steps_per_execution), ("stop_training", False),
                            ("jit_compile", False), ("compiled", True)):
            object.__setattr__(self, name, value)  # these are no parts of the model, whatever attributes track
        arguments = {"optimizer": self.optimizer, "loss": loss, "loss_weights": loss_weights, "metrics": metrics,
                     "weighted_metrics": weighted_metrics, "run_eagerly": bool(run_eagerly),
                     "steps_per_execution": steps_per_execution, "jit_compile": False}
        object.__setattr__(self, "_compile_arguments", arguments)
        self._plans.drop()

    def get_compile_config(self):
        """The arguments of `compile` in the form that files hold; {} for a model that is not compiled."""
        from cnncore.saving import serialize_keras_object

        return serialize_keras_object(self._compile_arguments) if self.compiled and self._compile_arguments else {}

    def compile_from_config(self, config):
        """The inverse of `get_compile_config`, from what a file holds."""
        from cnncore.saving import deserialize_keras_object

        if type(self).compile is not Trainer.compile:
            warnings.warn(f"{type(self).__name__} has a compile of its own, so the model is loaded without it; call "
                          "compile yourself", stacklevel=2)
            return
        self.compile(**deserialize_keras_object(config))
        if self.optimizer is not None and self.built:
            self.optimizer.build(self.trainable_variables)

    def _assert_compiled(self, method):
        if not self.compiled:
            raise ValueError(f"A model must be compiled before {method}(). Received: the model {_name(self)}, which is "
                             "not; call model.compile(optimizer=..., loss=..., metrics=[...]) first")

    @property
    def _plans(self):
        return self.__dict__.get("_plan_cache") or self.__dict__.setdefault("_plan_cache", Plans())

    def _drop_plans(self):
        """To be called when the model's layers change."""
        self._plans.drop()

    def _plan_state(self, kind):
        """What a plan depends on besides shapes and layers (see `_drop_plans`): its kernels, what learns, attributes."""
        if kind == "predict":
            return (strict(),)
        layers = self._walk()
        learning = [(name, value if isinstance(value, (bool, int, float, str)) else id(value))
                    for name, value in vars(self.optimizer).items()
                    if isinstance(value, Variable) or not isinstance(value, Tensor)] if self.optimizer else ()
        weights = (v for layer in layers for v in (*layer._trainable_variables, *layer._non_trainable_variables))
        return (strict(), _core.tier(), _core.threads(), tuple(layer.trainable for layer in layers),
                tuple(v.trainable for v in weights), sum(layer._times_set for layer in layers), tuple(learning))

    # ---- metrics -------------------------------------------------------------------------------------------------

    @property
    def metrics(self):
        """The model's metrics: the loss, those of `compile`, and those that the model and its layers hold."""
        found = self._own_metrics()
        for layer in self._walk()[1:]:
            if not isinstance(layer, Trainer):
                found.extend(getattr(layer, "_metrics", ()))
        return found

    def _own_metrics(self):
        found = []
        if self.compiled:
            found.append(self._loss_tracker)
            if self._compile_metrics is not None:
                found.append(self._compile_metrics)
            if self._compile_loss is not None:
                found.extend(self._compile_loss.metrics)
        found.extend(getattr(self, "_metrics", None) or ())
        return found

    @property
    def metrics_names(self):
        """The names of `metrics`."""
        return [metric.name for metric in self.metrics]

    def reset_metrics(self):
        """Sets all metrics to their start."""
        for metric in self.metrics:
            metric.reset_state()

    def get_metrics_result(self):
        """The results of all metrics, a dict of tensors by name."""
        results = {}
        for metric in self.metrics:
            if isinstance(metric, CompileMetrics) and not metric.built:
                continue
            result = metric.result()
            results.update(result if isinstance(result, dict) else {metric.name: result})
        return MetricLogs(results)

    # ---- one step ------------------------------------------------------------------------------------------------

    def train_step(self, data):
        """One step of training; override it to train in another way.

        It is run once and recorded, and what was recorded is repeated, also by later calls of `fit`, until `compile` or
        an attribute of the model, a layer or the optimizer changes: a number that it reads elsewhere stays what it was.

        Args:
            data: x, (x,), (x, y) or (x, y, sample_weight) of tensors or nests of them, as `fit` was given them; see
                `utils.unpack_x_y_sample_weight`.

        Returns:
            Dict from names to scalar tensors, shown as logs.
        """
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        with GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self._compute_loss(x, y, y_pred, sample_weight, training=True)
            scaled = loss if self.optimizer is None else self.optimizer.scale_loss(loss)
        self._track_loss(loss, x)
        weights = self.trainable_weights
        if weights:
            self.optimizer.apply_gradients(zip(tape.gradient(scaled, weights), weights, strict=True))
        else:
            warnings.warn(f"The model {_name(self)} has no trainable weights", stacklevel=2)
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def test_step(self, data):
        """One step of evaluation; takes and returns the same as `train_step`."""
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        y_pred = self(x, training=False)
        self._track_loss(self._compute_loss(x, y, y_pred, sample_weight, training=False), x)
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def predict_step(self, data):
        """One step of prediction: the model's output for x or (x,)."""
        x, _, _ = unpack_x_y_sample_weight(data)
        return self(x, training=False)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The number that training minimizes; override it for another one.

        Args:
            x: the inputs.
            y: the targets.
            y_pred: the model's output for x.
            sample_weight: weights of the samples, or None.
            training: whether this is a step of training.

        Returns:
            Scalar tensor: the loss of `compile`, plus those that layers added.

        Raises:
            ValueError: there is neither.
        """
        losses = []
        if self._compile_loss is not None:
            loss = self._compile_loss(y, y_pred, sample_weight)
            if loss is not None:
                losses.append(loss)
        losses += [loss if loss.shape == () else ops.sum(loss) for loss in map(convert, self.losses)]
        if not losses:
            raise ValueError(f"There must be a loss to minimize. Received: the model {_name(self)}, compiled without "
                             "one; pass loss to compile()")
        total = losses[0]
        for loss in losses[1:]:
            total = total + loss
        return total

    def _compute_loss(self, x, y, y_pred, sample_weight, training):
        parameters = inspect.signature(self.compute_loss).parameters
        if "training" in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            return self.compute_loss(x, y, y_pred, sample_weight, training=training)
        return self.compute_loss(x, y, y_pred, sample_weight)

    def _track_loss(self, loss, x):
        if self._loss_tracker is not None:
            self._loss_tracker.update_state(loss, sample_weight=flatten(x)[0].shape[0])

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """Updates the metrics of `compile` and returns the results of all metrics, a dict of tensors by name."""
        with executor.no_grad():
            if self._compile_metrics is not None:
                self._compile_metrics.update_state(y, y_pred, sample_weight)
            return self.get_metrics_result()

    # ---- many steps ----------------------------------------------------------------------------------------------

    def fit(self, x=None, y=None, batch_size=None, epochs=1, verbose="auto", callbacks=None, validation_split=0.0,
            validation_data=None, shuffle=True, class_weight=None, sample_weight=None, initial_epoch=0,
            steps_per_epoch=None, validation_steps=None, validation_batch_size=None, validation_freq=1):
        """Trains the model.

        Args:
            x: inputs, an array with one row for each sample; a list or dict of arrays for several inputs; or a
                generator, or an object with a length and items, of batches (x, y) or (x, y, sample_weight).
            y: targets, likewise; not with batches.
            batch_size: samples of a step, 32 by default.
            epochs: the epoch to stop before, counted from 0: the number of passes over the data.
            verbose: 0 shows nothing, 1 or 'auto' a progress bar, 2 one line for each epoch.
            callbacks: list of `Callback`s.
            validation_split: share of the samples, the last ones, that are kept for validation.
            validation_data: (x, y) or (x, y, sample_weight) to evaluate the model on after each epoch.
            shuffle: whether samples are taken in another order in each epoch; 'batch' changes the order within
                batches only.
            class_weight: dict from class numbers to the weights of their samples in the loss.
            sample_weight: array with the weight of each sample in the loss.
            initial_epoch: the epoch to begin with.
            steps_per_epoch: steps of an epoch; None takes all samples once.
            validation_steps: batches of validation; None takes all.
            validation_batch_size: samples of a batch of validation; `batch_size` by default.
            validation_freq: number of epochs between two validations, or a list of epochs, counted from 1.

        Returns:
            `History`, whose attribute `history` holds the metrics of all epochs.

        Raises:
            ValueError: the model is not compiled, or data do not fit it.

        Example:
            >>> import cnncore, numpy as np
            >>> model = cnncore.Sequential([cnncore.Input((4,)), cnncore.layers.Dense(1)])
            >>> model.compile(optimizer="sgd", loss="mse")
            >>> history = model.fit(np.zeros((8, 4)), np.zeros(8), epochs=2, verbose=0)
            >>> len(history.history["loss"])
            2
        """
        self._assert_compiled("fit")
        return loops.fit(self, x, y, batch_size, epochs, verbose, callbacks, validation_split, validation_data,
                         shuffle, class_weight, sample_weight, initial_epoch, steps_per_epoch, validation_steps,
                         validation_batch_size, validation_freq)

    def evaluate(self, x=None, y=None, batch_size=None, verbose="auto", sample_weight=None, steps=None,
                 callbacks=None, return_dict=False):
        """The loss and the metrics of the model on data.

        Args:
            x, y, batch_size, verbose, sample_weight, callbacks: as for `fit`.
            steps: batches to take; None takes all.
            return_dict: whether to return a dict by name.

        Returns:
            The loss, or a list of the loss and the metrics; a dict with `return_dict`.

        Raises:
            ValueError: the model is not compiled, or data do not fit it.
        """
        self._assert_compiled("evaluate")
        logs = loops.evaluate(self, x, y, batch_size, verbose, sample_weight, steps, callbacks)
        return logs if return_dict else self._in_order(logs)

    def predict(self, x, batch_size=None, verbose="auto", steps=None, callbacks=None):
        """The model's output for inputs, batch by batch. Several threads may call it at once.

        Args:
            x, batch_size, verbose, callbacks: as for `fit`.
            steps: batches to take; None takes all.

        Returns:
            NumPy array with one row for each sample, or a nest of them for several outputs.

        Raises:
            ValueError: the data do not fit the model.

        Example:
            >>> import cnncore, numpy as np
            >>> model = cnncore.Sequential([cnncore.Input((4,)), cnncore.layers.Dense(2)])
            >>> model.predict(np.zeros((3, 4)), verbose=0).shape
            (3, 2)
        """
        return loops.predict(self, x, batch_size, verbose, steps, callbacks)

    def train_on_batch(self, x, y=None, sample_weight=None, class_weight=None, return_dict=False):
        """One step of training on one batch.

        Args:
            x, y, sample_weight, class_weight: as for `fit`, arrays of one batch.
            return_dict: whether to return a dict by name.

        Returns:
            The loss, or a list of the loss and the metrics; a dict with `return_dict`.
        """
        self._assert_compiled("train_on_batch")
        logs = loops.on_batch(self, "train", x, y, sample_weight, class_weight)
        return logs if return_dict else self._in_order(logs)

    def test_on_batch(self, x, y=None, sample_weight=None, return_dict=False):
        """Loss and metrics on one batch; arguments and result as for `train_on_batch`."""
        self._assert_compiled("test_on_batch")
        logs = loops.on_batch(self, "test", x, y, sample_weight)
        return logs if return_dict else self._in_order(logs)

    def predict_on_batch(self, x):
        """The model's output for one batch, as NumPy arrays."""
        return loops.predict_on_batch(self, x)

    fit_generator = Former("fit(...), which takes generators")
    evaluate_generator = Former("evaluate(...), which takes generators")
    predict_generator = Former("predict(...), which takes generators")
    predict_classes = Former("predict(x).argmax(axis=-1)")
    predict_proba = Former("predict(x)")

    def _in_order(self, logs):
        """The numbers of the logs in the order of the metrics; a single one by itself."""
        names = []
        for metric in self.metrics:
            names += [part.name for part in metric.metrics] if isinstance(metric, CompileMetrics) else [metric.name]
        values = [logs[name] for name in names if name in logs]
        values += [logs[key] for key in sorted(logs) if key not in names]
        return values[0] if len(values) == 1 else values


def _loss_mean():
    return metrics.Mean(name="loss")


def _name(model):
    return repr(getattr(model, "name", type(model).__name__))
