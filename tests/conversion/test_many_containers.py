"""Dictionaries of many containers: the work grows with their number, not with its square. Calls are counted, since
times vary.
"""

import sys

import pytest
from downlink_pipeline.conversion.differences import Compared, differences
from downlink_pipeline.conversion.losses import Losses
from downlink_pipeline.conversion.packets import make_packets
from downlink_pipeline.dictionary.compile.plan import compile_plan
from downlink_pipeline.dictionary.csv.reader import read_csv

FEW, MANY = 10, 40


def table(n):
    rows = "".join(f"A,uint,8,{apid},C{apid}\nB,uint,16,{apid},C{apid}\n" for apid in range(1, n + 1))
    return read_csv(f"name,data_type,bit_length,apid,container\n{rows}".encode())


def calls_of(work):
    count = 0

    def counted(_frame, event, _argument):
        nonlocal count
        count += event == "call"

    sys.setprofile(counted)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def compare(dictionary, plan):
    assert list(differences(Compared(dictionary, plan), Compared(dictionary, plan))) == []


def make(dictionary, plan):
    n = len(dictionary.containers)
    assert make_packets(dictionary, plan, n, 1).missing == ()


@pytest.mark.parametrize("work", [compare, make])
def test_four_times_as_many_containers_are_four_times_the_work(work):
    counts = []
    for n in (FEW, MANY):
        dictionary = table(n)
        plan = compile_plan(dictionary)
        work(dictionary, plan)
        counts.append(calls_of(lambda dictionary=dictionary, plan=plan: work(dictionary, plan)))
    assert counts[1] < 6 * counts[0]


def test_many_losses_are_noted_without_a_look_at_each_other():
    losses = Losses("x")
    count = calls_of(lambda: [losses.add("field", str(i % 300), "is not converted") for i in range(600)])
    assert len(list(losses)) == 300
    assert count < 10 * 600
