"""The old place of what travels, importable for one release more: use `downlink_pipeline.api` or `model.batches`."""

from .model.batches import *  # noqa: F403
