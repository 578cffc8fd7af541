"""Work in a forked child: its result or its error comes back, and nothing else of it."""

import os
import sys
from functools import partial

import pytest
from downlink_pipeline.model.errors import ConfigError, Problem, RunError
from downlink_pipeline.system.child import in_child


def fail():
    raise ConfigError(
        [Problem("no such key", "mission.toml", 3, "link"), Problem("not a number", "mission.toml", 7)]
    )


def import_in_child():
    import this  # noqa: F401, PLC0415 - a module that nothing else imports

    return os.getpid()


def test_the_result_comes_from_another_process_whose_modules_are_not_here():
    assert in_child(import_in_child) != os.getpid()
    assert "this" not in sys.modules


def test_an_error_for_the_user_comes_back_with_its_lines_and_exit_status():
    with pytest.raises(ConfigError) as found:
        in_child(fail)
    assert str(found.value).splitlines() == ["mission.toml:3: link: no such key", "mission.toml:7: not a number"]
    assert found.value.exit_status == 2


def test_a_child_that_ends_without_a_result_is_a_failed_run():
    with pytest.raises(RunError, match="status 9"):
        in_child(partial(os._exit, 9))
