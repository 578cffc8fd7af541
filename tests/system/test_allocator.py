"""The memory of a process of ours: what a batch freed, the next one has again."""

import ctypes
import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
import numpy as np
from downlink_pipeline.system.allocator import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(100):
    pieces = [np.ones(1 << 20, np.uint8) for _ in range(8)]
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 100)
"""


def faults_each_time(how):
    return float(subprocess.run([sys.executable, "-c", PROGRAM, how], check=True, capture_output=True).stdout)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="another C library than GNU's")
def test_freed_pieces_are_used_again_without_a_pass_over_fresh_pages():
    pages = 8 * (1 << 20) // 4096
    assert faults_each_time("kept") < pages / 10
    assert faults_each_time("given back") > pages / 2
