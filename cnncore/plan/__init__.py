"""Plans: a step recorded once, scheduled, given one arena of memory, and run by one C call."""
from cnncore.plan.recorder import record

__all__ = ["record"]
