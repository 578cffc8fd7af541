"""SPICE reads from the kernels what the products and the simulator's truth say."""

import re
from dataclasses import replace

import numpy as np
import pytest
from downlink_pipeline.commands.recordings import inspect
from downlink_pipeline.commands.spice import write_kernels
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.model.errors import ConfigError, RunError
from downlink_pipeline.processing.chain import ProcessingChain
from downlink_pipeline.processing.passes import outcomes

spice = pytest.importorskip("spiceypy")
MISSION = load_mission("zhurong")


def only(*names):
    return {name: MISSION.instruments[name] for name in names}


def write(paths, out, mission=MISSION, spacecraft=-245, **more):
    return write_kernels(paths, mission, out, lambda _: None, spacecraft, **more)[1]


@pytest.fixture(scope="module")
def kernels(bundled, tmp_path_factory):
    return write([bundled / "clean.cadu"], tmp_path_factory.mktemp("kernels"))


@pytest.fixture
def loaded(kernels):
    spice.furnsh(str(kernels[-1]))
    yield
    spice.kclear()


@pytest.fixture(scope="module")
def rows(bundled):
    """Arrays of `rover/navigation` and `rover/traverse`, all products one after the other."""
    line = ProcessingChain(replace(MISSION, instruments=only("rover", "traverse")))
    made = [one for outcome in outcomes(line, [bundled / "clean.cadu"], lambda _: None) for one in outcome.products]

    def find(product, name):
        return np.concatenate([one.arrays[name].values for one in made if one.product == product])

    return find


def times(utc_ns):
    return spice.str2et([str(np.datetime64(int(one), "ns")) for one in utc_ns])


def places_m(et):
    return (
        np.array([spice.spkpos("ZHURONG", one, "ZHURONG_LOCAL_LEVEL", "NONE", "ZHURONG_SITE")[0] for one in et])
        * 1000
    )


def apart_rad(one, other):
    """The angle of the rotation from one to the other."""
    difference = one @ other.T
    sine = np.linalg.norm(difference - difference.T) / np.sqrt(8)
    return np.arctan2(sine, (np.trace(difference) - 1) / 2)


def rotation(angle_deg, axis):
    """Right-handed, of vectors, about an axis."""
    c, s = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    a, b = [(1, 2), (2, 0), (0, 1)][axis]
    matrix = np.eye(3)
    matrix[a, a] = matrix[b, b] = c
    matrix[b, a], matrix[a, b] = s, -s
    return matrix


@pytest.mark.usefixtures("loaded")
def test_positions_are_those_of_the_products_to_a_millimetre(rows):
    for product in ("navigation", "traverse"):  # in this pass the frame is never zeroed again
        found = places_m(times(rows(product, "time_utc_ns")))
        east, north, up = rows(product, "position_enu_m").T
        assert np.abs(found - np.stack([north, east, -up], axis=1)).max() < 1e-3


@pytest.mark.usefixtures("loaded")
def test_positions_are_the_simulators_to_the_step_of_the_packets(bundled):
    truth = np.load(bundled / "clean.cadu.truth.npz")
    found = places_m(times(truth["navigation_time_utc_ns"]))
    assert np.abs(found - truth["navigation_position_ned_m"]).max() < 0.006  # a step is 1 cm


@pytest.mark.usefixtures("loaded")
def test_the_attitude_is_that_of_the_products(rows):
    quaternion = rows("navigation", "quaternion")
    for et, (w, x, y, z) in zip(times(rows("navigation", "time_utc_ns")), quaternion, strict=True):
        expected = np.array([
            [w * w + x * x - y * y - z * z, 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), w * w - x * x + y * y - z * z, 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z],
        ]) / (w * w + x * x + y * y + z * z)  # fmt: skip
        assert apart_rad(spice.pxform("ZHURONG_BODY", "ZHURONG_LOCAL_LEVEL", et), expected) < 1e-9


@pytest.mark.usefixtures("loaded")
def test_the_mast_turns_by_yaw_and_then_by_pitch(rows):
    angles = zip(rows("navigation", "mast_yaw_deg"), rows("navigation", "mast_pitch_deg"), strict=True)
    for et, (yaw, pitch) in zip(times(rows("navigation", "time_utc_ns")), angles, strict=True):
        expected = rotation(yaw, 2) @ rotation(pitch, 1)
        assert apart_rad(spice.pxform("ZHURONG_MAST", "ZHURONG_BODY", et), expected) < 1e-9


@pytest.mark.usefixtures("loaded")
def test_the_clock_counts_what_the_packets_counted(rows):
    first_ns = int(rows("navigation", "time_onboard_ns")[0])
    et = times(rows("navigation", "time_utc_ns")[:1])[0]
    assert spice.sce2s(-245, et) == f"1/{first_ns // 10**9:010d}:{first_ns // 10**6 % 1000:03d}"


@pytest.mark.usefixtures("loaded")
def test_a_camera_looks_where_its_image_says(bundled):
    """`pointing_enu` of NaTeCam's images is by the angles in the image itself: navigation is within some hundredths."""
    line = ProcessingChain(replace(MISSION, instruments=only("rover", "natecam")))
    made = [one for outcome in outcomes(line, [bundled / "clean.cadu"], lambda _: None) for one in outcome.products]
    images = [one for one in made if one.product == "image"]
    for image in images[::4]:
        et = times(image.arrays["time_utc_ns"].values)[0]
        north, east, down = spice.pxform("ZHURONG_NATECAM_A", "ZHURONG_LOCAL_LEVEL", et) @ [0, 0, 1]
        pixel = (
            0.0055 * 8 / 13.174201
        )  # the window of these images is centred, the principal point is 2 to 4 pixels off
        assert (
            np.arccos(np.clip(image.arrays["pointing_enu"].values[0, 4] @ [east, north, -down], -1, 1)) < 2 * pixel
        )
    assert len(images) == 15


@pytest.mark.usefixtures("loaded")
def test_the_instrument_kernel_has_the_numbers_of_the_archived_label():
    """NaTeCam's 2C label: 5.5 um, 13.174201 mm, principal point at 0.010239, 0.022188 mm from the middle of 2048."""
    id_ = spice.bodn2c("ZHURONG_NATECAM_A")
    told = {
        key: spice.gdpool(f"INS{id_}_{key}", 0, 4).tolist() for key in ("FOCAL_LENGTH", "PIXEL_SIZE", "CCD_CENTER")
    }
    assert told["FOCAL_LENGTH"] == [13.174201]
    assert told["PIXEL_SIZE"] == [0.0055, 0.0055]
    assert told["CCD_CENTER"] == pytest.approx([1024 + 0.010239 / 0.0055, 1024 + 0.022188 / 0.0055])
    shape, frame, boresight, n, corners = spice.getfov(id_, 10)
    assert (shape, frame, boresight.tolist(), n) == ("POLYGON", "ZHURONG_NATECAM_A", [0, 0, 1], 4)
    across = np.rad2deg(np.arctan2(corners[1, 0], corners[1, 2]) - np.arctan2(corners[0, 0], corners[0, 2]))
    assert across == pytest.approx(
        46.5, abs=2
    )  # 11.264 mm at 13.17 mm: 46.3 degrees, and a little more with distortion


@pytest.mark.usefixtures("loaded")
def test_the_site_stands_on_the_planet_where_the_mission_file_has_it():
    et = spice.str2et("2021-05-25T04:21:00")
    place, _ = spice.spkpos("ZHURONG_SITE", et, "IAU_MARS", "NONE", "MARS")
    radius, longitude, latitude = spice.reclat(place)
    assert np.rad2deg([longitude, latitude]) == pytest.approx([109.908440, 25.083319], abs=1e-9)
    assert radius == pytest.approx(3396.19 - 4.918556)
    north = spice.pxform("ZHURONG_LOCAL_LEVEL", "IAU_MARS", et) @ [1, 0, 0]
    assert north @ [0, 0, 1] == pytest.approx(np.cos(np.deg2rad(25.083319)))


@pytest.mark.usefixtures("loaded")
def test_nothing_is_told_outside_of_the_pass():
    for utc in ("2021-05-25T04:19:59", "2021-05-25T04:27:00"):
        with pytest.raises(spice.exceptions.SpiceyError):
            places_m([spice.str2et(utc)])


def test_the_leap_seconds_are_naifs(kernels):
    """naif0012.tls: 28 of them, the last three."""
    text = next(path for path in kernels if path.suffix == ".tls").read_text()
    steps = re.findall(r"(\d+), @(\d{4}-[A-Z]{3}-1)", text)
    assert steps[0] == ("10", "1972-JAN-1")
    assert steps[-3:] == [("35", "2012-JUL-1"), ("36", "2015-JUL-1"), ("37", "2017-JAN-1")]
    assert len(steps) == 28


def test_every_kernel_of_a_simulated_pass_says_so(kernels):
    for path in kernels:
        if path.suffix in {".bsp", ".bc"}:
            handle = spice.dafopr(str(path))
            _, lines, _ = spice.dafec(handle, 10)
            spice.dafcls(handle)
            text = " ".join(lines)
        else:
            text = " ".join(path.read_text().split())
        assert ("simulated: none of it was measured" in text) == (path.suffix != ".tls")


def test_the_same_passes_give_the_same_kernels(bundled, kernels, tmp_path):
    again = write([bundled / "clean.cadu"], tmp_path)
    assert [path.read_bytes() for path in again[:-1]] == [path.read_bytes() for path in kernels[:-1]]


def test_passes_of_two_sols_are_told_with_a_gap_between_them(bundled, tmp_path):
    """Each pass begins at the site; between them nothing is known."""
    paths = write([bundled / "clean.cadu", bundled / "night.cadu"], tmp_path)
    starts = []
    for name in ("clean.cadu", "night.cadu"):
        truth = np.load(bundled / f"{name}.truth.npz")
        starts.append(truth["navigation_time_utc_ns"][[0, -1]])
    spice.furnsh(str(paths[-1]))
    try:
        for ends in starts:
            assert np.isfinite(places_m(times(ends))).all()
        middle = (starts[0][1] + starts[1][0]) // 2
        with pytest.raises(spice.exceptions.SpiceyError):
            spice.pxform("ZHURONG_BODY", "ZHURONG_LOCAL_LEVEL", times([middle])[0])
    finally:
        spice.kclear()


def test_another_name_and_number_go_through_all_kernels(bundled, tmp_path):
    mission = replace(MISSION, name="a-very-long-name-of-a-rover")
    paths = write([bundled / "clean.cadu"], tmp_path, mission, spacecraft=-9999)
    spice.furnsh(str(paths[-1]))
    try:
        rover = spice.bodc2n(-9999)
        assert rover == "A_VERY_LONG_NA"
        et = spice.str2et("2021-05-25T04:21:00")
        assert np.linalg.norm(spice.spkpos(rover, et, f"{rover}_LOCAL_LEVEL", "NONE", f"{rover}_SITE")[0]) < 1
        assert spice.pxform(f"{rover}_NATECAM_A", f"{rover}_BODY", et).shape == (3, 3)
        assert spice.getfov(spice.bodn2c(f"{rover}_MSCAM"), 10)[3] == 4
    finally:
        spice.kclear()


def test_a_mission_without_a_site_or_a_rover_is_told_so(bundled, tmp_path):
    with pytest.raises(ConfigError, match="has no \\[site\\]"):
        write([bundled / "clean.cadu"], tmp_path, replace(MISSION, site=None))
    with pytest.raises(ConfigError, match="no instrument rover, traverse"):
        write([bundled / "clean.cadu"], tmp_path, replace(MISSION, instruments=only("weather")))


def test_a_pass_without_navigation_is_told_so_and_leaves_nothing(tmp_path):
    (tmp_path / "empty.cadu").write_bytes(b"")
    assert inspect([tmp_path / "empty.cadu"], MISSION, lambda _: None)["packets"]["read"] == 0
    with pytest.raises(RunError, match="no usable navigation"):
        write([tmp_path / "empty.cadu"], tmp_path / "out")
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_a_file_that_is_no_kernel_is_not_replaced(bundled, kernels, tmp_path):
    (tmp_path / kernels[0].name).write_text("mine")
    with pytest.raises(ConfigError):
        write([bundled / "clean.cadu"], tmp_path)
    write([bundled / "clean.cadu"], tmp_path, overwrite=True)
    write([bundled / "clean.cadu"], tmp_path)
