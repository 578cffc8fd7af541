"""Pieces of XTCE, and columns as lists: what several of the dictionary's tests say."""

from downlink_pipeline.model.batches import Ragged


def rows(column):
    if not isinstance(column, Ragged):
        return column.tolist()
    bounds = zip(column.start.tolist(), column.length.tolist(), strict=True)
    return [column.values[start : start + length].tolist() for start, length in bounds]


def entry(name, inside=""):
    return f'<ParameterRefEntry parameterRef="{name}">{inside}</ParameterRefEntry>'
