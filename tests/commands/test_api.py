"""The examples in docstrings of what notebooks import are right."""

import doctest

from downlink_pipeline import api


def test_the_examples_of_the_interface_for_notebooks_hold(monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)
    found = doctest.testmod(api)
    assert found.attempted > 10
    assert found.failed == 0
