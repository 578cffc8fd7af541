"""Small dictionaries that would become huge ones: told in one line, at once, in little memory."""

import resource
import subprocess
import sys
import time

import pytest
from downlink_pipeline.dictionary.compile.plan import compile_plan
from downlink_pipeline.dictionary.xtce.reader import read_xtce
from downlink_pipeline.model.errors import ConfigError

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


def container(name, entries, base=""):
    base = f'<BaseContainer containerRef="{base}"/>' if base else ""
    return f'<SequenceContainer name="{name}"><EntryList>{entries}</EntryList>{base}</SequenceContainer>'


def packets(containers, types="", last="T0"):
    """A dictionary of these containers, whose entries are the parameter P."""
    return (
        f"{HEAD}<ParameterTypeSet>{BYTE}{types}</ParameterTypeSet>"
        f'<ParameterSet><Parameter name="P" parameterTypeRef="{last}"/></ParameterSet>'
        f"<ContainerSet>{''.join(containers)}</ContainerSet>{TAIL}"
    ).encode()


VALUE = '<ParameterRefEntry parameterRef="P"/>'


def inside(name, n=1):
    return f'<ContainerRefEntry containerRef="{name}"/>' * n


def chain(n, n_inside, leaf=VALUE, *, extends=False):
    """Containers C0 ... Cn, each with `n_inside` of the one before, which is its base too where it `extends` it."""
    bases = [f"C{i - 1}" if extends else "" for i in range(1, n + 1)]
    return [container("C0", leaf)] + [
        container(f"C{i}", inside(f"C{i - 1}", n_inside), base) for i, base in enumerate(bases, 1)
    ]


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (packets(chain(30, 2)), "a packet of more than 200000 fields"),
        (packets(chain(30, 2)[::-1]), "a packet of more than 200000 fields"),
        (packets(chain(30, 2, leaf="")), "a packet of more than 200000 fields"),
        (packets(chain(5, 100)), "a packet of more than 200000 fields"),
        (packets(chain(30, 2, extends=True)), "a packet of more than 200000 fields"),
        (
            packets(chain(30, 2, VALUE * 20), "".join(aggregates(13, 2)), "T13"),
            "a packet of more than 200000 fields",
        ),
        (
            packets([*chain(17, 2), *(container(f"D{i}", "", "C17") for i in range(200))]),
            "a packet of more than 200000 fields",
        ),
        (
            packets([container("C", VALUE * 2000), *(container(f"D{i}", inside("C", 50)) for i in range(200))]),
            "packets of more than 1000000 fields in all",
        ),
    ],
    ids=["30", "outermost first", "empty", "hundreds", "bases", "of aggregates", "many extend one", "many"],
)
def test_containers_that_multiply_are_one_problem_before_any_is_laid_out(document, told):
    began = time.process_time()
    with pytest.raises(ConfigError) as error:
        compile_plan(read_xtce(document, "bomb.xml"))
    assert time.process_time() - began < 1  # 0.1 s on a machine of its own; 0.6 to 20 s before
    (problem,) = error.value.problems
    assert (problem.text, problem.file, problem.line) == (told, "bomb.xml", 1)


def test_containers_of_ten_doublings_are_laid_out():
    plan = compile_plan(read_xtce(packets(chain(10, 2)), "fine.xml"))
    assert plan.root.key == "C10"


def test_twelve_doublings_are_4096_values():
    members = [key for key in read_xtce(doublings(12), "fine.xml").parameters if key.count(".") == 12]
    assert len(members) == 4096


def test_the_command_line_tells_it_in_one_line_within_a_bounded_memory(tmp_path):
    path = tmp_path / "bomb.xml"
    path.write_bytes(doublings(30))
    ended = subprocess.run(
        [sys.executable, "-m", "downlink_pipeline", "check", "--dictionary", str(path)],
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
