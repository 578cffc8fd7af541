"""Pieces of XTCE, and columns as lists: what several of the dictionary's tests say."""

from downlink_pipeline.dictionary.compile.plan import compile_plan
from downlink_pipeline.dictionary.decoder import Decoder
from downlink_pipeline.dictionary.xtce.reader import read_xtce
from downlink_pipeline.model.batches import Ragged


def rows(column):
    if not isinstance(column, Ragged):
        return column.tolist()
    bounds = zip(column.start.tolist(), column.length.tolist(), strict=True)
    return [column.values[start : start + length].tolist() for start, length in bounds]


def entry(name, inside=""):
    return f'<ParameterRefEntry parameterRef="{name}">{inside}</ParameterRefEntry>'


def container(name, base, criteria, entries="", attributes=""):
    listed = "".join(f'<ParameterRefEntry parameterRef="{entry}"/>' for entry in entries.split())
    restriction = f"<RestrictionCriteria>{criteria}</RestrictionCriteria>" if criteria else ""
    return f"""<SequenceContainer name="{name}"{attributes}><EntryList>{listed}</EntryList>
    <BaseContainer containerRef="{base}">{restriction}</BaseContainer></SequenceContainer>"""


def equals(parameter, value, more=""):
    return f'<Comparison parameterRef="{parameter}" value="{value}"{more}/>'


def decoder_of(xtce, *terms):
    return Decoder(compile_plan(read_xtce(xtce)), terms)
