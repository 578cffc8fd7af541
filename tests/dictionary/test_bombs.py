"""Small dictionaries that would become huge ones: told in one line, at once, in little memory."""

import resource
import subprocess
import sys
import time

import pytest

from pipeline.dictionary.xtce import read_xtce
from pipeline.errors import ConfigError

HEAD = '<SpaceSystem name="S" xmlns="http://www.omg.org/spec/XTCE/20180204"><TelemetryMetaData>'
TAIL = "</TelemetryMetaData></SpaceSystem>"
BYTE = '<IntegerParameterType name="T0"><IntegerDataEncoding sizeInBits="8"/></IntegerParameterType>'
LIMIT_BYTES = 1 << 30


def parameters(types, last):
    """Types, a parameter of the last of them, and a packet that holds it."""
    return (
        f"{HEAD}<ParameterTypeSet>{BYTE}{types}</ParameterTypeSet>"
        f'<ParameterSet><Parameter name="P" parameterTypeRef="{last}"/></ParameterSet>'
        '<ContainerSet><SequenceContainer name="C"><EntryList><ParameterRefEntry parameterRef="P"/></EntryList>'
        f"</SequenceContainer></ContainerSet>{TAIL}"
    ).encode()


def aggregates(n, n_members):
    """Aggregates T1 ... Tn, each of `n_members` members of the type before."""
    made = []
    for i in range(1, n + 1):
        members = "".join(f'<Member name="m{k}" typeRef="T{i - 1}"/>' for k in range(n_members))
        made.append(
            f'<AggregateParameterType name="T{i}"><MemberList>{members}</MemberList></AggregateParameterType>'
        )
    return made


def doublings(n):
    return parameters("".join(aggregates(n, 2)), f"T{n}")


def in_falling_order(n):
    """The outermost first."""
    return parameters("".join(aggregates(n, 2)[::-1]), f"T{n}")


def nested(n):
    return parameters("".join(aggregates(n, 1)), f"T{n}")


def arrays(n):
    one = '<ArrayParameterType name="T{}" arrayTypeRef="T{}" numberOfDimensions="1"/>'
    return parameters("".join(one.format(i, i - 1) for i in range(1, n + 1)), f"T{n}")


def many_parameters():
    """Few types of many members, and many parameters of them."""
    named = "".join(f'<Parameter name="P{i}" parameterTypeRef="T13"/>' for i in range(100))
    types = "".join(aggregates(13, 2))
    return (
        f"{HEAD}<ParameterTypeSet>{BYTE}{types}</ParameterTypeSet><ParameterSet>{named}</ParameterSet>{TAIL}"
    ).encode()


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (doublings(20), "has more than 16384 members"),
        (doublings(30), "has more than 16384 members"),
        (in_falling_order(30), "has more than 16384 members"),
        (nested(600), "has types nested deeper than 50"),
        (arrays(600), "has types nested deeper than 50"),
        (many_parameters(), "is beyond 200000 parameters"),
    ],
    ids=["20 doublings", "30 doublings", "the outermost first", "600 deep", "600 arrays", "100 parameters"],
)
def test_a_dictionary_that_would_become_huge_is_one_problem(document, told):
    began = time.process_time()
    with pytest.raises(ConfigError) as error:
        read_xtce(document, "bomb.xml")
    assert time.process_time() - began < 5  # under a second on a machine of its own; 25 s and more before
    (problem,) = error.value.problems
    assert told in problem.text
    assert problem.line == 1
    assert problem.file == "bomb.xml"


def test_twelve_doublings_are_4096_values():
    members = [key for key in read_xtce(doublings(12), "fine.xml").parameters if key.count(".") == 12]
    assert len(members) == 4096


def test_the_command_line_tells_it_in_one_line_within_a_bounded_memory(tmp_path):
    path = tmp_path / "bomb.xml"
    path.write_bytes(doublings(30))
    ended = subprocess.run(
        [sys.executable, "-m", "pipeline", "check", "--dictionary", str(path)],
        capture_output=True,
        check=False,
        text=True,
        timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (LIMIT_BYTES, LIMIT_BYTES)),
    )
    assert ended.returncode == 2
    (line,) = [one for one in ended.stderr.splitlines() if one.startswith("downlink:")]
    assert "members" in line
    assert "Traceback" not in ended.stderr
