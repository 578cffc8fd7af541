"""SPICE, NAIF's own toolkit, with a clock kernel."""

import pytest

# NAIF's naif0012.tls: its constants, and leap seconds from 2009 on
LEAP_SECONDS = r"""KPL/LSK
\begindata
DELTET/DELTA_T_A = 32.184
DELTET/K         = 1.657D-3
DELTET/EB        = 1.671D-2
DELTET/M         = ( 6.239996D0 1.99096871D-7 )
DELTET/DELTA_AT  = ( 34, @2009-JAN-1  35, @2012-JUL-1  36, @2015-JUL-1  37, @2017-JAN-1 )
\begintext
"""


@pytest.fixture
def furnish(tmp_path):
    """Load the leap seconds and a clock kernel, given as text."""
    spiceypy = pytest.importorskip("spiceypy")

    def load(kernel):
        for name, text in (("leap.tls", LEAP_SECONDS), ("clock.tsc", kernel)):
            (tmp_path / name).write_text(text)
            spiceypy.furnsh(str(tmp_path / name))

    yield load
    spiceypy.kclear()
