"""The examples in docstrings of what notebooks import are right."""

import doctest

from downlink_pipeline import api
from downlink_pipeline.processing import recorded_pass


def test_the_examples_of_the_interface_for_notebooks_hold(monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)
    found = [doctest.testmod(module) for module in (api, recorded_pass)]
    assert sum(one.attempted for one in found) > 10
    assert [one.failed for one in found] == [0, 0]
