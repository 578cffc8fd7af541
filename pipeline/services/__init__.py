"""Ingest, decode and publish as services: bus, dispatch, published keys, metrics, health."""
