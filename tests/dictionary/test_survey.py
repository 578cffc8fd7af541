"""The list of what a file uses."""

from downlink_pipeline.dictionary.survey import PASSED_OVER, REFUSED, SUPPORTED, examine
from downlink_pipeline.dictionary.xtce.reader import Source


def rows_of(document):
    return examine([Source(document)]).rows


def test_every_element_is_counted_and_supported(document):
    rows = {row.element: row for row in rows_of(document("", {"A": "U8"}))}
    assert rows["Parameter"].n_uses == 8
    assert rows["SequenceContainer"].n_uses == 2
    assert not {row.status for row in rows.values()} & {PASSED_OVER, REFUSED}


def test_an_element_that_is_not_implemented_is_listed_with_all_inside(document):
    algorithms = b"<AlgorithmSet><MathAlgorithm><MathOperation/></MathAlgorithm></AlgorithmSet></TelemetryMetaData>"
    rows = rows_of(document("", {"A": "U8"}).replace(b"</TelemetryMetaData>", algorithms))
    missing = [row.element for row in rows if row.status in {PASSED_OVER, REFUSED}]
    assert missing == ["AlgorithmSet", "MathAlgorithm", "MathOperation"]


def test_a_value_that_is_not_implemented_has_a_row_of_its_own(document):
    kind = '<IntegerParameterType name="T"><IntegerDataEncoding encoding="ternary"/></IntegerParameterType>'
    rows = rows_of(document(kind, {"A": "T"}))
    assert [(row.element, row.n_uses) for row in rows if row.status in {PASSED_OVER, REFUSED}] == [
        ('IntegerDataEncoding (encoding="ternary")', 1)
    ]
    assert ("IntegerDataEncoding", SUPPORTED, 7) in [(row.element, row.status, row.n_uses) for row in rows]


def test_what_is_no_xtce_is_a_problem():
    found = examine([Source(b"<html/>")])
    assert found.problems
    assert not found.rows
