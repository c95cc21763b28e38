"""Callbacks: hooks into training, evaluation and prediction, with Keras's names."""
from cnncore.callbacks.callback import Callback
from cnncore.callbacks.callback_list import CallbackList
from cnncore.callbacks.early_stopping import EarlyStopping
from cnncore.callbacks.history import History
from cnncore.callbacks.lambda_callback import LambdaCallback
from cnncore.callbacks.lazy_logs import LazyLogs
from cnncore.callbacks.progbar_logger import ProgbarLogger
from cnncore.callbacks.terminate_on_nan import TerminateOnNaN

__all__ = ["Callback", "CallbackList", "EarlyStopping", "History", "LambdaCallback", "LazyLogs", "ProgbarLogger",
           "TerminateOnNaN"]
