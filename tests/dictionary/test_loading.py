"""What loading costs by the size of a dictionary: counted in calls, not in time."""

import gc
import sys

from downlink_pipeline.dictionary.compile.others import in_order
from downlink_pipeline.dictionary.compile.plan import compile_plan
from downlink_pipeline.dictionary.xtce.reader import read_xtce

FIELDS = (("VERSION", 3), ("TYPE", 1), ("SHF", 1), ("APID", 11), ("FLAGS", 2), ("COUNT", 14), ("LENGTH", 16))


def many_containers(n):
    """Containers of one base, each told by an APID and a value of the sequence count of its own."""
    types = "".join(
        f'<IntegerParameterType name="{name}_T" signed="false"><IntegerDataEncoding sizeInBits="{bits}"'
        ' encoding="unsigned"/></IntegerParameterType>'
        for name, bits in (*FIELDS, ("V", 16))
    )
    names = [name for name, _ in FIELDS]
    parameters = "".join(f'<Parameter name="{name}" parameterTypeRef="{name}_T"/>' for name in names)
    parameters += "".join(f'<Parameter name="P{i}" parameterTypeRef="V_T"/>' for i in range(n))
    entries = "".join(f'<ParameterRefEntry parameterRef="{name}"/>' for name in names)
    containers = "".join(
        f"""<SequenceContainer name="C{i}"><EntryList><ParameterRefEntry parameterRef="P{i}"/></EntryList>
        <BaseContainer containerRef="BASE"><RestrictionCriteria><ComparisonList>
        <Comparison parameterRef="APID" value="{i}"/><Comparison parameterRef="COUNT" value="{i % 7}"/>
        </ComparisonList></RestrictionCriteria></BaseContainer></SequenceContainer>"""
        for i in range(n)
    )
    return f"""<SpaceSystem name="MANY" xmlns="http://www.omg.org/spec/XTCE/20180204"><TelemetryMetaData>
    <ParameterTypeSet>{types}</ParameterTypeSet><ParameterSet>{parameters}</ParameterSet><ContainerSet>
    <SequenceContainer name="BASE" abstract="true"><EntryList>{entries}</EntryList></SequenceContainer>{containers}
    </ContainerSet></TelemetryMetaData></SpaceSystem>""".encode()


def calls(act):
    """How many functions were called, steps of generators included."""
    n = 0

    def count(_, event, __):
        nonlocal n
        n += event in {"call", "c_call"}

    gc.disable()
    sys.setprofile(count)
    try:
        act()
    finally:
        sys.setprofile(None)
        gc.enable()
    return n


def test_twice_as_many_containers_take_twice_as_many_calls():
    few, many = many_containers(300), many_containers(600)
    compile_plan(read_xtce(few))
    once, twice = (calls(lambda document=each: compile_plan(read_xtce(document))) for each in (few, many))
    assert twice < 2.05 * once


def test_containers_are_told_apart_as_before_by_the_value_that_tells_most():
    plan = compile_plan(read_xtce(many_containers(50)))
    switch = plan.root.switch
    assert switch is not None
    assert switch.key == "APID"
    assert [branch.node.key for branch in switch.branches(17)] == ["C17"]
    assert switch.branches(2000) == ()


def test_containers_that_ask_for_values_of_each_other_are_put_in_order_in_as_many_steps_as_there_are():
    def chain(n):
        return {f"C{i}": frozenset({f"P{i - 1}"} if i else ()) for i in range(n)}, {
            f"C{i}": frozenset({f"P{i}"}) for i in range(n)
        }

    needs, provides = chain(4)
    assert in_order(dict(reversed(needs.items())), provides) == (["C0", "C1", "C2", "C3"], False)
    flat = {f"C{i}": frozenset({"P0"} if i else ()) for i in range(800)}
    few = {key: flat[key] for key in list(flat)[:400]}
    gives = {key: frozenset({key.replace("C", "P")}) for key in flat}
    assert calls(lambda: in_order(flat, gives)) < 2.2 * calls(lambda: in_order(few, gives))


def test_a_container_may_ask_for_a_value_that_it_and_others_hold():
    needs = {"A": frozenset({"X"}), "B": frozenset()}
    gives = {"A": frozenset({"X"}), "B": frozenset({"X"})}
    assert in_order(needs, gives) == (["B", "A"], False)


def test_containers_that_ask_for_each_other_are_in_no_order():
    needs = {"A": frozenset({"Y"}), "B": frozenset({"X"})}
    gives = {"A": frozenset({"X"}), "B": frozenset({"Y"})}
    assert in_order(needs, gives) == (["A", "B"], True)
