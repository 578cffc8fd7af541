"""Reads mission.toml and its dictionary files into frozen definitions, and collects all their problems."""
