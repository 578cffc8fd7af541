"""Pixels to directions: the published camera model, distortion and its inverse."""

import numpy as np
import pytest
from downlink_pipeline.missions.zhurong.natecam.colour import demosaic, srgb
from downlink_pipeline.missions.zhurong.shared.optics import Optics, Window, corners
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def natecam(calibrations):
    return Optics.model_validate(calibrations["natecam"]["optics"])


def test_the_field_of_view_is_the_published_one(natecam):
    """2048 pixels of 5.5 um behind 13.174201 mm: 46.29 degrees, 0.4175 mrad a pixel (fact sheet 7)."""
    pinhole = natecam.model_copy(update={"principal_point_mm": [0.0, 0.0]})
    edges = pinhole.focal_plane(np.array([0.0, 2048.0]), np.array([1024.0, 1024.0]))[:, 0]
    assert np.degrees(np.arctan(edges)).tolist() == pytest.approx([-23.145, 23.145], abs=0.01)
    assert 0.0055 / natecam.focal_length_mm == pytest.approx(0.4175e-3, abs=1e-7)


@given(x=st.floats(-0.45, 0.45), y=st.floats(-0.45, 0.45))
def test_undistorting_undoes_distorting(x, y):
    optics = Optics(
        source="assumed", detector_pixels=2048, pixel_mm=0.0055, focal_length_mm=13.0,
        principal_point_mm=[0.0, 0.0], distortion=[-0.085, 0.011, 0.00012, -0.00008],
    )  # fmt: skip
    place = np.array([[x, y]])
    np.testing.assert_allclose(optics.undistort(optics.distort(place)), place, atol=1e-9)


def test_distortion_by_hand():
    """r2 = 0.25, k1 = 0.1, p1 = 0.01: x = 0.3 * 1.025 + 0.02 * 0.12, y = 0.4 * 1.025 + 0.01 * 0.57."""
    optics = Optics(
        source="assumed", detector_pixels=64, pixel_mm=1.0, focal_length_mm=1.0,
        principal_point_mm=[0.0, 0.0], distortion=[0.1, 0.0, 0.01, 0.0],
    )  # fmt: skip
    np.testing.assert_allclose(optics.distort(np.array([0.3, 0.4])), [0.3099, 0.4157], atol=1e-12)


def test_corners_go_clockwise_from_the_first_pixel(natecam):
    found = corners(Window(0, 0, 1, 2048, 2048), natecam, distorted=False)
    right, down = np.sign(found[:4, 1]).tolist(), np.sign(found[:4, 2]).tolist()
    assert (right, down) == ([-1, 1, 1, -1], [-1, -1, 1, 1])


def test_demosaic_of_a_plane_is_the_plane():
    line, sample = np.mgrid[0:12, 0:14].astype(np.float32)
    planes = np.stack([10 + line + 2 * sample, 50 - line + sample, 30 + 3 * line - sample], axis=-1)
    colour = (line % 2 + sample % 2).astype(int)
    mosaic = np.take_along_axis(planes, colour[..., None], axis=-1)[..., 0]
    np.testing.assert_allclose(demosaic(mosaic)[2:-2, 2:-2], planes[2:-2, 2:-2], rtol=1e-5)


@pytest.mark.parametrize(("linear", "code"), [(0.0, 0), (0.0031308, 10), (0.21586, 128), (1.0, 255), (7.0, 255)])
def test_the_curve_of_srgb(linear, code):
    """IEC 61966-2-1: 12.92 below 0.0031308; above, 1.055 x^(1/2.4) - 0.055."""
    assert srgb(np.full((1, 1, 1), linear, np.float32))[0, 0, 0] == code
