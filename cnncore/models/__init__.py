"""Models: Sequential, functional and of one's own, and loading them."""
from cnncore.models.cloning import clone_model
from cnncore.models.functional import Functional
from cnncore.models.model import Model
from cnncore.models.sequential import Sequential
from cnncore.saving.model_io import load_model, model_from_json, save_model

__all__ = ["Functional", "Model", "Sequential", "clone_model", "load_model", "model_from_json", "save_model"]
