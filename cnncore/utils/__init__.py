"""Helpers around training: seeds, names, the progress bar and the model table."""
from cnncore.random import set_random_seed
from cnncore.utils.naming import clear_session
from cnncore.utils.progbar import Progbar

__all__ = ["Progbar", "clear_session", "set_random_seed"]
