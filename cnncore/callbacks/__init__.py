"""Callbacks: hooks into training, evaluation and prediction, with Keras's names."""
from cnncore.callbacks.backup_and_restore import BackupAndRestore
from cnncore.callbacks.callback import Callback
from cnncore.callbacks.callback_list import CallbackList
from cnncore.callbacks.csv_logger import CSVLogger
from cnncore.callbacks.early_stopping import EarlyStopping
from cnncore.callbacks.history import History
from cnncore.callbacks.lambda_callback import LambdaCallback
from cnncore.callbacks.lazy_logs import LazyLogs
from cnncore.callbacks.learning_rate_scheduler import LearningRateScheduler
from cnncore.callbacks.model_checkpoint import ModelCheckpoint
from cnncore.callbacks.progbar_logger import ProgbarLogger
from cnncore.callbacks.reduce_lr_on_plateau import ReduceLROnPlateau
from cnncore.callbacks.swap_ema_weights import SwapEMAWeights
from cnncore.callbacks.tensorboard import TensorBoard
from cnncore.callbacks.terminate_on_nan import TerminateOnNaN

__all__ = ["BackupAndRestore", "CSVLogger", "Callback", "CallbackList", "EarlyStopping", "History", "LambdaCallback",
           "LazyLogs", "LearningRateScheduler", "ModelCheckpoint", "ProgbarLogger", "ReduceLROnPlateau",
           "SwapEMAWeights", "TensorBoard", "TerminateOnNaN"]
