"""Events: what programs report of models, versions, experiments and checkpoints, and when."""

from localreg.events.attached import HasEvents, serve_event_tables

__all__ = ["HasEvents", "serve_event_tables"]
