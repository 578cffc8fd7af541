"""What a replay takes for a command, and what it does not."""

import json
from contextlib import suppress

import pytest
from downlink_pipeline.replay.control import Command, read_command
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ('{"command": "pause"}', Command("pause")),
        ('{"command": "resume"}', Command("resume")),
        ('{"command": "speed", "speed": 10}', Command("speed", speed=10.0)),
        ('{"command": "speed", "speed": "max"}', Command("speed")),
        ('{"command": "seek", "share": 0.25}', Command("seek", share=0.25)),
        ('{"command": "seek", "time": "1970-01-02T00:00:00.5Z"}', Command("seek", time_ns=86_400_500_000_000)),
        ('{"command": "seek", "time": "1970-01-01T02:00:00+01:00"}', Command("seek", time_ns=3_600_000_000_000)),
    ],
)
def test_commands_are_read(text, command):
    assert read_command(text.encode()) == command


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "a JSON object"),
        ("[" * 900, "a JSON object"),
        ("null", "one of pause, resume, speed, seek"),
        ('{"command": ["pause"]}', "one of"),
        ('{"command": "stop"}', "one of"),
        ('{"command": "pause", "share": 1}', "nothing else"),
        ('{"command": "speed"}', "needs speed"),
        ('{"command": "speed", "speed": 0}', "from 0.01 to 10000"),
        ('{"command": "speed", "speed": true}', "from 0.01 to 10000"),
        ('{"command": "speed", "speed": NaN}', "from 0.01 to 10000"),
        ('{"command": "seek"}', "share or time"),
        ('{"command": "seek", "share": 0.1, "time": "2021-05-25T00:00:00Z"}', "share or time"),
        ('{"command": "seek", "share": 1.5}', "from 0 to 1"),
        ('{"command": "seek", "time": "2021-05-25T00:00:00"}', "with its zone"),
        ('{"command": "seek", "time": "1969-12-31T00:00:00Z"}', "from 1970 on"),
        ('{"command": "seek", "time": "9999-12-31T00:00:00Z"}', "from 1970 on"),
        ('{"command": "seek", "time": 5}', "ISO 8601"),
        (json.dumps({"command": "pause", "x": "y" * 1000}), "at most 1000"),
    ],
)
def test_what_is_no_command_is_refused_in_one_line(text, why):
    with pytest.raises(ValueError, match=why):
        read_command(text.encode())


WORDS = ["pause", "seek", "speed", "command", "share", "max"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.sampled_from(WORDS) | st.text(max_size=30),
    lambda inner: st.dictionaries(st.sampled_from(["command", "speed", "share", "time"]), inner) | st.lists(inner),
)


@given(st.binary(max_size=200) | VALUES.map(lambda found: json.dumps(found).encode()))
def test_nothing_from_outside_is_more_than_refused(payload):
    with suppress(ValueError):
        assert read_command(payload).name in [*WORDS, "resume"]
