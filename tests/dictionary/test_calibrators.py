"""Splines, formulas and calibrators by context, against values worked out by hand."""

import math
import struct

import numpy as np
import pytest
from downlink_pipeline.dictionary.compile.plan import compile_plan
from downlink_pipeline.dictionary.xtce.reader import read_xtce
from downlink_pipeline.model.batches import Quality
from downlink_pipeline.model.errors import ConfigError


def calibrated(inside, size_bits=8, contexts=""):
    default = f"<DefaultCalibrator>{inside}</DefaultCalibrator>" if inside else ""
    return f"""<FloatParameterType name="T"><IntegerDataEncoding sizeInBits="{size_bits}">{default}{contexts}
    </IntegerDataEncoding></FloatParameterType>"""


def spline(points, order=1, extrapolate="false"):
    listed = "".join(f'<SplinePoint raw="{raw}" calibrated="{value}"/>' for raw, value in points)
    return f'<SplineCalibrator order="{order}" extrapolate="{extrapolate}">{listed}</SplineCalibrator>'


def formula(*tokens):
    def element(token):
        if token == "this":
            return "<ThisParameterOperand/>"
        if isinstance(token, float):
            return f"<ValueOperand>{token}</ValueOperand>"
        if token.isupper():
            return f'<ParameterInstanceRefOperand parameterRef="{token}"/>'
        return f"<Operator>{token.replace('<', '&lt;').replace('&&', '&amp;&amp;')}</Operator>"

    return f"<MathOperationCalibrator>{''.join(map(element, tokens))}</MathOperationCalibrator>"


POINTS = [(0, 0.0), (10, 100.0), (20, 50.0)]


def test_a_spline_of_order_1_is_straight_between_its_points_with_the_last_included(column):
    found = column(calibrated(spline(POINTS)), [bytes([n]) for n in (0, 5, 10, 15, 20)])
    assert found.tolist() == [0.0, 50.0, 100.0, 75.0, 50.0]


def test_a_spline_of_order_0_keeps_the_value_of_the_point_below(column):
    found = column(calibrated(spline(POINTS, order=0)), [bytes([n]) for n in (0, 9, 10, 19, 20)])
    assert found.tolist() == [0.0, 0.0, 100.0, 100.0, 50.0]


def test_a_spline_of_order_2_is_the_parabola_through_three_points(column):
    squares = [(0, 0.0), (2, 4.0), (4, 16.0), (8, 64.0)]
    found = column(calibrated(spline(squares, order=2)), [bytes([n]) for n in (0, 1, 3, 5, 7, 8)])
    assert found.tolist() == pytest.approx([0, 1, 9, 25, 49, 64])


def test_outside_of_its_points_a_spline_has_no_value_and_the_row_is_flagged(document, packet, decode):
    (found,) = decode(document(calibrated(spline(POINTS)), {"X": "T"}), [packet(bytes([n])) for n in (20, 21)])
    assert found.columns["X"][0] == 50.0
    assert math.isnan(found.columns["X"][1])
    assert found.quality.tolist() == [0, Quality.OUT_OF_RANGE]


def test_outside_of_its_points_a_spline_goes_on_where_it_may(column):
    found = column(calibrated(spline(POINTS, extrapolate="true")), [bytes([n]) for n in (22,)])
    assert found.tolist() == [40.0]


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        (("this", 2.0, "*", 1.0, "+"), 13.0),
        ((10.0, "this", "-"), 4.0),
        (("this", 4.0, "%"), 2.0),
        (("this", 2.0, "^"), 36.0),
        ((2.0, "this", "y^x"), 36.0),
        (("this", "ln", "e^x"), 6.0),
        ((100.0, "log"), 2.0),
        (("this", "1/x"), 1 / 6),
        (("this", "x!"), 720.0),
        ((1.0, 0.0, "atan2"), 0.0),
        (("this", "dup", "*"), 36.0),
        (("this", 1.0, "swap", "-"), -5.0),
        (("this", 3.0, "drop"), 6.0),
        (("this", 3.0, "over", "-", "-"), 9.0),
        (("this", 1.0, "<<"), 12.0),
        (("this", 5.0, "<"), 0.0),
        (("this", 0.0, "&&"), 0.0),
        ((-2.5, "abs"), 2.5),
        ((2.75, "int"), 2.0),
    ],
)
def test_a_formula_is_worked_out_on_a_stack(column, tokens, expected):
    assert column(calibrated(formula(*tokens)), [b"\6"]).tolist() == [pytest.approx(expected)]


def test_a_formula_that_has_no_value_gives_one_that_says_so(column):
    found = column(calibrated(formula("this", "1/x")), [b"\0", b"\2"])
    assert found.tolist() == [math.inf, 0.5]


def test_a_formula_may_use_other_parameters(document, packet, decode):
    kind = calibrated(formula("this", "GAIN", "*"))
    (found,) = decode(document(kind, {"X": "T", "GAIN": "U8"}), [packet(b"\3\2"), packet(b"\3\5")], raw=True)
    assert found.columns["X"].tolist() == [6.0, 15.0]
    assert found.raw["X"].tolist() == [3, 3]


def test_a_formula_that_finds_too_few_operands_is_a_problem(document):
    with pytest.raises(ConfigError, match="finds 1 of its 2 operands"):
        read_xtce(document(calibrated(formula("this", "+")), {"X": "T"}))


def context(value, factor):
    return f"""<ContextCalibrator><ContextMatch><Comparison parameterRef="RANGE" value="{value}"/></ContextMatch>
    <Calibrator><PolynomialCalibrator><Term coefficient="{factor}" exponent="1"/></PolynomialCalibrator></Calibrator>
    </ContextCalibrator>"""


def test_the_first_context_that_holds_calibrates_and_else_the_default(document, packet, decode):
    default = '<PolynomialCalibrator><Term coefficient="1" exponent="1"/></PolynomialCalibrator>'
    contexts = f"<ContextCalibratorList>{context(1, 10)}{context(2, 100)}{context(1, 1000)}</ContextCalibratorList>"
    xtce = document(calibrated(default, contexts=contexts), {"X": "T", "RANGE": "U8"})
    (found,) = decode(xtce, [packet(bytes([7, n])) for n in (1, 2, 3)], raw=True)
    assert found.columns["X"].tolist() == [70.0, 700.0, 7.0]
    assert found.raw["X"].tolist() == [7, 7, 7]


def test_a_context_reaches_the_elements_of_an_array(document, packet, decode):
    contexts = f"<ContextCalibratorList>{context(1, 10)}</ContextCalibratorList>"
    kinds = (
        calibrated("", contexts=contexts)
        + """<ArrayParameterType name="TS" arrayTypeRef="T"><DimensionList>
    <Dimension><StartingIndex><FixedValue>0</FixedValue></StartingIndex><EndingIndex><FixedValue>1</FixedValue>
    </EndingIndex></Dimension></DimensionList></ArrayParameterType>"""
    )
    (found,) = decode(document(kinds, {"RANGE": "U8", "X": "TS"}), [packet(b"\1\2\3"), packet(b"\0\2\3")])
    assert found.columns["X"].tolist() == [[20.0, 30.0], [2.0, 3.0]]


def test_a_context_that_is_not_in_the_packet_is_a_problem(document):
    contexts = f"<ContextCalibratorList>{context(1, 10)}</ContextCalibratorList>"
    xtce = document(
        calibrated("", contexts=contexts), {"X": "T", "RANGE": "U8"}, '<ParameterRefEntry parameterRef="X"/>'
    )
    with pytest.raises(ConfigError, match="RANGE"):
        compile_plan(read_xtce(xtce))


def test_a_spline_calibrates_floats_as_linear_interpolation_does(column):
    values = np.arange(-5.0, 5.0, 0.7, dtype=np.float32)
    kind = f"""<FloatParameterType name="T"><FloatDataEncoding sizeInBits="32"><DefaultCalibrator>
    {spline([(-5, 1.0), (0, 3.0), (5, -1.0)])}</DefaultCalibrator></FloatDataEncoding></FloatParameterType>"""
    found = column(kind, [struct.pack(">f", value) for value in values])
    expected = np.interp(values.astype(np.float64), [-5, 0, 5], [1.0, 3.0, -1.0])
    assert found == pytest.approx(expected)
