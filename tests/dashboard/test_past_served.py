"""The page looks back into a served history as into a folder: `dashboard --history grpc://HOST:PORT` or `http://`."""

import numpy as np
import pytest

pytest.importorskip("bokeh", reason="bokeh is not installed")
from downlink_pipeline.commands.dashboard_history import DashboardHistory
from history_products import DAY, product, put  # noqa: F401 - a fixture
from history_servers import served
from test_past import loaded, seconds

SECOND = 10**9
RANGE = (DAY, DAY + 20_000 * SECOND)


def plain(value):
    """Arrays as lists, for a comparison."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    return value.tolist() if isinstance(value, np.ndarray) else value


@pytest.mark.parametrize("scheme", ["grpc", "http"])
async def test_a_served_history_is_drawn_as_its_folder(put, scheme):  # noqa: F811
    n = 9000
    folder = put(
        product(seconds(0, n), V=np.sin(np.arange(n)), MODE=np.array(["A", "B"] * (n // 2))),
        product(seconds(0, 50), name="SPEC", S=np.arange(150.0).reshape(50, 3)),
    )
    with served(folder, scheme) as url:
        near, far = DashboardHistory(str(folder)), DashboardHistory(url)
        (stored,) = near.streams()
        assert far.streams() == [stored]
        assert far.parameters(stored) == near.parameters(stored)
        assert far.passes(stored) == near.passes(stored)
        for kind in stored.kinds:
            here, there = (one.load(stored, kind, *RANGE, 4000) for one in (near, far))
            assert (there.n_rows, there.n_drawn, there.bin_ns, there.note) == (
                here.n_rows, here.n_drawn, here.bin_ns, here.note,
            )  # fmt: skip
            assert [plain(one) for one in there.products] == [plain(one) for one in here.products]
            assert far.coverage(stored, kind, *RANGE, 50) == near.coverage(stored, kind, *RANGE, 50)


async def test_a_server_that_went_away_is_named_and_not_fatal(put):  # noqa: F811
    folder = put(product(seconds(0, 10), V=np.arange(10.0)))
    with served(folder, "http") as url:
        source = DashboardHistory(url)
        found, _ = await loaded(folder, RANGE)
    found.source = source
    await found.find_streams()
    assert "does not answer" in found.trouble
    assert found.streams  # those that are known
