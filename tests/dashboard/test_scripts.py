"""What a browser loads with a page: the scripts that it needs, compressed, once for each version."""

import gzip
import re
from functools import partial

import pytest
from tornado.httpclient import AsyncHTTPClient

pytest.importorskip("bokeh", reason="bokeh is not installed")
from bokeh.document import Document
from bokeh.models import Column, ColumnDataSource, DataTable, Div, TableColumn
from bokeh.plotting import figure
from bokeh.resources import Resources
from downlink_pipeline.dashboard.extra_scripts import ExtraScripts, needed_scripts
from downlink_pipeline.dashboard.server import serving
from downlink_pipeline.dashboard.web_scripts import takes_gzip
from downlink_pipeline.messages.topics import unpack_product
from test_admission import ignored, silence

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of Bokeh and Tornado, not of ours
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
FIRST_PAGE_BYTES = 1_000_000
SCRIPT = re.compile(r'src="/(static/[^"]+)"')


async def get(url, **headers):
    return await AsyncHTTPClient().fetch(url, raise_error=False, decompress_response=False, headers=headers)


async def test_a_first_page_is_less_than_a_megabyte_and_its_scripts_are_asked_for_once():
    async with serving(silence, unpack_product, ignored, port=0) as served:
        page = await get(served.url)
        addresses = SCRIPT.findall(page.body.decode())
        scripts = [await get(served.url + one, **{"Accept-Encoding": "gzip, br"}) for one in addresses]
        names = [re.sub(r".*/|\?.*", "", one) for one in addresses]
        assert names == ["bokeh.min.js", "bokeh-widgets.min.js"]
        assert len(page.body) + sum(len(one.body) for one in scripts) < FIRST_PAGE_BYTES
        for name, one in zip(names, scripts, strict=True):
            assert one.headers["Content-Encoding"] == "gzip"
            assert gzip.decompress(one.body) == (Resources().base_dir / "js" / name).read_bytes()
            assert int(one.headers["Cache-Control"].removeprefix("max-age=")) >= 365 * 86400
        tag = scripts[0].headers["Etag"]
        again = await get(served.url + addresses[0], **{"Accept-Encoding": "gzip", "If-None-Match": tag})
        assert (again.code, again.body) == (304, b"")


async def test_a_client_that_takes_no_gzip_gets_the_script_as_it_is():
    async with serving(silence, unpack_product, ignored, port=0) as served:
        plain, packed = [
            await get(f"{served.url}static/js/bokeh-tables.min.js", **{"Accept-Encoding": one})
            for one in ("identity", "gzip")
        ]
        assert "Content-Encoding" not in plain.headers
        assert plain.body == gzip.decompress(packed.body)
        assert plain.headers["Etag"] != packed.headers["Etag"]
        assert plain.headers["Vary"] == packed.headers["Vary"] == "Accept-Encoding"
        missing = await get(f"{served.url}static/js/none.js", **{"Accept-Encoding": "gzip"})
        assert missing.code == 404


@pytest.mark.parametrize(
    ("header", "takes"),
    [
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("*", True),
        ("br, *;q=0.1", True),
        ("", False),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000, *", False),
        ("identity", False),
    ],
)
def test_gzip_is_taken_as_rfc_9110_says(header, takes):
    assert takes_gzip(header) == takes


def table():
    return DataTable(source=ColumnDataSource({"a": [1]}), columns=[TableColumn(field="a")])


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (Div, set()),
        (figure, set()),
        (lambda: Column(children=[table()]), {"bokeh-tables"}),
        (partial(figure, output_backend="webgl", x_axis_label="$$x$$"), {"bokeh-gl", "bokeh-mathjax"}),
    ],
)
def test_models_need_the_scripts_that_draw_them(make, names):
    assert {re.search(r"js/([a-z-]+)\.min\.js\?v=", one)[1] for one in needed_scripts([make()])} == names


def test_parts_of_a_look_wait_until_the_page_has_loaded_their_scripts():
    scripts, places = ExtraScripts(), [Column() for _ in range(3)]
    Document().add_root(Column(children=[scripts.wanted, scripts.loaded, *places]))
    plain, waiting = Div(), table()
    scripts.put(places[0], [plain])
    scripts.put(places[1], [waiting])
    scripts.put(places[2], [table()])
    scripts.drop(places[2])
    assert [place.children for place in places] == [[plain], [], []]
    scripts.loaded.value = scripts.wanted.value  # as the page's script does
    assert [place.children for place in places] == [[plain], [waiting], []]
    scripts.put(places[2], [waiting])
    assert places[2].children == [waiting]
