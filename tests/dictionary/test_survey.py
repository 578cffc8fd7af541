"""The list of what a file uses."""

import pytest
from downlink_pipeline.dictionary.survey import survey
from downlink_pipeline.model.errors import ConfigError


def test_every_element_is_counted_and_supported(document):
    uses = {use.element: use for use in survey(document("", {"A": "U8"}))}
    assert uses["Parameter"].n_uses == 8
    assert uses["SequenceContainer"].n_uses == 2
    assert all(use.supported for use in uses.values())


def test_an_element_that_is_not_implemented_is_listed_with_all_inside(document):
    algorithms = b"<AlgorithmSet><MathAlgorithm><MathOperation/></MathAlgorithm></AlgorithmSet></TelemetryMetaData>"
    uses = survey(document("", {"A": "U8"}).replace(b"</TelemetryMetaData>", algorithms))
    missing = [use.element for use in uses if not use.supported]
    assert missing == ["AlgorithmSet", "MathAlgorithm", "MathOperation"]


def test_a_value_that_is_not_implemented_has_a_row_of_its_own(document):
    kind = '<IntegerParameterType name="T"><IntegerDataEncoding encoding="ternary"/></IntegerParameterType>'
    uses = survey(document(kind, {"A": "T"}))
    assert [(use.element, use.n_uses) for use in uses if not use.supported] == [
        ('IntegerDataEncoding (encoding="ternary")', 1)
    ]
    assert ("IntegerDataEncoding", 7, True) in uses


def test_what_is_no_xtce_is_a_problem():
    with pytest.raises(ConfigError):
        survey(b"<html/>")
