"""Columns that the decoder leaves where they stay: the values are those of batches that are put together."""

import numpy as np
import pytest
from downlink_pipeline.dictionary.compile.plan import compile_plan
from downlink_pipeline.dictionary.decoder import Decoder
from downlink_pipeline.dictionary.xtce.reader import read_xtce
from downlink_pipeline.model.batches import PacketBatch
from downlink_pipeline.model.categorical import Categorical
from downlink_pipeline.processing.gathered import GatheredColumns
from downlink_pipeline.processing.placed_columns import PlacedColumns, names_of

FIELDS = (
    ("WIDE", '<IntegerParameterType name="WIDE_T"><IntegerDataEncoding sizeInBits="32"/></IntegerParameterType>'),
    (
        "VOLTAGE",
        """<FloatParameterType name="VOLTAGE_T"><IntegerDataEncoding sizeInBits="16"><DefaultCalibrator>
        <PolynomialCalibrator><Term coefficient="-1" exponent="0"/><Term coefficient="0.5" exponent="1"/>
        </PolynomialCalibrator></DefaultCalibrator></IntegerDataEncoding></FloatParameterType>""",
    ),
    (
        "MODE",
        """<EnumeratedParameterType name="MODE_T"><IntegerDataEncoding sizeInBits="16"/><EnumerationList>
        <Enumeration value="0" label="OFF"/><Enumeration value="1" label="ON"/></EnumerationList>
        </EnumeratedParameterType>""",
    ),
    (
        "GRID",
        """<IntegerParameterType name="CELL_T"><IntegerDataEncoding sizeInBits="8"/></IntegerParameterType>
        <ArrayParameterType name="GRID_T" arrayTypeRef="CELL_T"><DimensionList><Dimension><StartingIndex>
        <FixedValue>0</FixedValue></StartingIndex><EndingIndex><FixedValue>2</FixedValue></EndingIndex></Dimension>
        </DimensionList></ArrayParameterType>""",
    ),
)
XTCE = f"""<SpaceSystem name="S" xmlns="http://www.omg.org/spec/XTCE/20180204"><TelemetryMetaData>
<ParameterTypeSet><BinaryParameterType name="HEAD_T"><BinaryDataEncoding><SizeInBits><FixedValue>48</FixedValue>
</SizeInBits></BinaryDataEncoding></BinaryParameterType>{"".join(text for _, text in FIELDS)}</ParameterTypeSet>
<ParameterSet><Parameter name="HEAD" parameterTypeRef="HEAD_T"/>
{"".join(f'<Parameter name="{name}" parameterTypeRef="{name}_T"/>' for name, _ in FIELDS)}</ParameterSet>
<ContainerSet><SequenceContainer name="HK"><EntryList><ParameterRefEntry parameterRef="HEAD"/>
{"".join(f'<ParameterRefEntry parameterRef="{name}"/>' for name, _ in FIELDS)}</EntryList></SequenceContainer>
</ContainerSet></TelemetryMetaData></SpaceSystem>""".encode()
PACKET_BYTES = 6 + 4 + 2 + 2 + 3


@pytest.fixture(scope="module")
def plan():
    return compile_plan(read_xtce(XTCE))


def packets_of(numbers, *, short=(), unknown=()):
    """A batch of a packet for each number; those that are `short` end early, the mode of `unknown` has no label."""
    octets = np.zeros((len(numbers), PACKET_BYTES), np.uint8)
    octets[:, 1], octets[:, 2], octets[:, 5] = 7, 0xC0, PACKET_BYTES - 7
    octets[:, 6:10] = np.array(numbers, ">u4")[:, None].view(np.uint8)
    octets[:, 10:12] = np.array(numbers, ">u2")[:, None].view(np.uint8)
    octets[:, 13] = [3 if number in unknown else number % 2 for number in numbers]
    octets[:, 14:] = np.array(numbers, np.uint8)[:, None] + np.arange(3, dtype=np.uint8)
    n = len(numbers)
    length = np.array([PACKET_BYTES - (number in short) for number in numbers])
    zeros = np.zeros(n, np.uint16)
    narrow, wide, flags = zeros.astype(np.uint8), np.zeros(n, np.int64), np.zeros(n, np.uint32)
    start = np.arange(n) * PACKET_BYTES
    return PacketBatch(octets.ravel(), start, length, zeros + 7, zeros, narrow, zeros, narrow, wide, flags)


def gathered(plan, batches, *, growth=100.0, raw=False, drop=(), bound_bytes=None):
    """All rows, decoded where they stay, and how many columns are there."""
    node = next(one for one in plan.walk() if one.key == "HK")
    placed = PlacedColumns(names_of(node, drop), lambda: growth, raw=raw, bound_bytes=bound_bytes)
    decoder = Decoder(plan, raw=raw, places=lambda _: placed)
    found = GatheredColumns(raw=raw, drop=drop, placed=placed)
    for batch in batches:
        for columns in decoder.decode(batch):
            found.add(columns, growth)
    return found.batch()


def check(found, numbers, *, unknown=()):
    wanted = np.array(numbers)
    assert found.columns["WIDE"].tolist() == numbers
    assert found.columns["VOLTAGE"].tolist() == (wanted * 0.5 - 1).tolist()
    assert found.columns["MODE"].tolist() == [
        "UNKNOWN_3" if each in unknown else ("OFF", "ON")[each % 2] for each in numbers
    ]
    assert found.columns["GRID"].tolist() == [[each, each + 1, each + 2] for each in numbers]


@pytest.mark.parametrize("growth", [100.0, 1.0])
def test_rows_of_many_batches_stand_in_order_whether_they_were_expected_or_not(plan, growth):
    parts = [list(range(first, first + 7)) for first in range(0, 140, 7)]
    check(gathered(plan, map(packets_of, parts), growth=growth), list(range(140)))


def test_memory_is_taken_for_all_rows_that_are_expected(plan):
    found = gathered(plan, [packets_of([1, 2]), packets_of([3])], growth=10.0)
    assert found.columns["WIDE"].base.nbytes >= 2 * 10 * 4
    assert isinstance(found.columns["MODE"], Categorical)


@pytest.mark.parametrize("growth", [100.0, 1.0])
def test_packets_that_are_set_aside_leave_no_rows_between(plan, growth):
    parts = [[0, 1, 2], [3, 4], [5], [6, 7, 8, 9]]
    batches = [packets_of(part, short=(1, 5, 6)) for part in parts]
    check(gathered(plan, batches, growth=growth), [0, 2, 3, 4, 7, 8, 9])


@pytest.mark.parametrize("first", [0, 4])
def test_codes_that_become_wider_move_with_the_rows_before_them(plan, first):
    parts = [[0, 1], [2, 3], [4, 5], [6, 7]]
    batches = [packets_of(part, unknown=(first, 5)) for part in parts]
    check(gathered(plan, batches), list(range(8)), unknown=(first, 5))


def test_raw_values_stay_where_they_are_asked_for(plan):
    found = gathered(plan, [packets_of([8, 9]), packets_of([10])], raw=True)
    assert found.raw["VOLTAGE"].tolist() == [8, 9, 10]
    assert found.raw["MODE"].tolist() == [0, 1, 0]


def test_a_bound_of_memory_for_rows_to_come_changes_no_value(plan):
    parts = [list(range(first, first + 7)) for first in range(0, 70, 7)]
    check(gathered(plan, map(packets_of, parts), bound_bytes=40), list(range(70)))


def test_columns_that_are_dropped_take_no_memory(plan):
    found = gathered(plan, [packets_of([1, 2])], drop=("WIDE", "GRID"))
    assert list(found.columns) == ["HEAD", "VOLTAGE", "MODE"]
    assert found.columns["VOLTAGE"].tolist() == [-0.5, 0.0]
