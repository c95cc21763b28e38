"""Helpers around training: seeds, the progress bar and the model table."""
from cnncore.random import set_random_seed
from cnncore.utils.progbar import Progbar

__all__ = ["Progbar", "set_random_seed"]
