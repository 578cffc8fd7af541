"""Deprecated, kept for one release: use `downlink_pipeline.api` or `model.batches`."""

from .model.batches import *  # noqa: F403
