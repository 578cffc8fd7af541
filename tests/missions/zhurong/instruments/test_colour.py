"""Demosaicing against the published filters, laid over the image one by one, and against bilinear interpolation."""

import numpy as np
import pytest
from downlink_pipeline.missions.zhurong.natecam.colour import demosaic
from scipy.ndimage import convolve

# Malvar, He, Cutler 2004, figure 2, in eighths
GREEN = np.array([[0, 0, -1, 0, 0], [0, 0, 2, 0, 0], [-1, 2, 4, 2, -1], [0, 0, 2, 0, 0], [0, 0, -1, 0, 0]])
OF_LINE = np.array([[0, 0, 0.5, 0, 0], [0, -1, 0, -1, 0], [-1, 4, 5, 4, -1], [0, -1, 0, -1, 0], [0, 0, 0.5, 0, 0]])
ACROSS = np.array([[0, 0, -1.5, 0, 0], [0, 2, 0, 2, 0], [-1.5, 0, 6, 0, -1.5], [0, 2, 0, 2, 0], [0, 0, -1.5, 0, 0]])


def colour_of(shape):
    """0, 1, 2: red, green, blue of each pixel."""
    line, sample = np.indices(shape)
    return line % 2 + sample % 2


def published(mosaic):
    line, sample = np.indices(mosaic.shape)
    red, blue = colour_of(mosaic.shape) == 0, colour_of(mosaic.shape) == 2
    green_in_red_line = (line % 2 == 0) & (sample % 2 == 1)
    green_in_blue_line = (line % 2 == 1) & (sample % 2 == 0)
    of_green, of_line, of_column, across = (
        convolve(mosaic, kernel / 8, mode="mirror") for kernel in (GREEN, OF_LINE, OF_LINE.T, ACROSS)
    )
    r = np.select([red, green_in_red_line, green_in_blue_line], [mosaic, of_line, of_column], across)
    b = np.select([blue, green_in_blue_line, green_in_red_line], [mosaic, of_line, of_column], across)
    return np.stack([r, np.where(red | blue, of_green, mosaic), b], axis=-1)


def bilinear(mosaic):
    colour = colour_of(mosaic.shape)
    kernel = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 4
    planes = [(np.where(colour == c, mosaic, 0), (colour == c).astype(float)) for c in range(3)]
    return np.stack(
        [convolve(v, kernel, mode="mirror") / convolve(w, kernel, mode="mirror") for v, w in planes], axis=-1
    )


def mosaic_of(scene):
    return np.take_along_axis(scene, colour_of(scene.shape[:2])[..., None], axis=-1)[..., 0]


def psnr_db(found, scene):
    return -10 * np.log10(np.mean((found - scene)[4:-4, 4:-4] ** 2))


@pytest.mark.parametrize("shape", [(12, 14), (13, 15), (70, 33), (2, 2), (3, 8)], ids=str)
def test_the_filters_are_the_published_ones(shape):
    mosaic = np.random.default_rng(2).random(shape)
    np.testing.assert_allclose(demosaic(mosaic.astype(np.float32)), published(mosaic), atol=2e-6)


@pytest.fixture(scope="module")
def scene():
    """Rocks: discs of smooth edges, each brighter or darker in all colours, on a reddish ground."""
    rng = np.random.default_rng(7)
    line, sample = np.mgrid[0:128, 0:128]
    grey = np.full((128, 128), 0.35)
    for _ in range(40):
        at, radius = rng.uniform(0, 128, 2), rng.uniform(3, 14)
        inside = 1 / (1 + np.exp((np.hypot(line - at[0], sample - at[1]) - radius) / 0.6))
        grey = grey * (1 - inside) + rng.uniform(0.05, 0.9) * inside
    return grey[..., None] * np.array([1.0, 0.85, 0.7])


def test_a_scene_comes_out_5_db_better_than_by_bilinear_interpolation(scene):
    """The paper's gain over bilinear interpolation: 5.5 dB on average of the Kodak images."""
    mosaic = mosaic_of(scene)
    gain_db = psnr_db(demosaic(mosaic.astype(np.float32)), scene) - psnr_db(bilinear(mosaic), scene)
    assert gain_db > 5.0


def test_a_grey_edge_has_less_than_half_the_fringe_of_bilinear_interpolation():
    """A slanted edge between dark and bright grey: what red and blue differ by is colour that is not there."""
    line, sample = np.mgrid[0:64, 0:64]
    grey = 0.1 + 0.7 / (1 + np.exp((32 + 0.2 * line - sample) / 0.5))
    mosaic = mosaic_of(np.repeat(grey[..., None], 3, axis=-1))
    fringe = [
        np.sqrt(np.mean((found[..., 0] - found[..., 2])[4:-4, 4:-4] ** 2))
        for found in (demosaic(mosaic.astype(np.float32)), bilinear(mosaic))
    ]
    assert fringe[0] < 0.5 * fringe[1]


def test_between_its_neighbours_a_scene_is_better_still(scene):
    mosaic = mosaic_of(scene)
    plain, bounded = (demosaic(mosaic.astype(np.float32), bounded=only) for only in (False, True))
    assert psnr_db(bounded, scene) > psnr_db(plain, scene) + 1


@pytest.mark.parametrize("bounded", [False, True])
def test_only_unbounded_values_leave_the_range_of_a_hard_edge(bounded):
    """A black square on grey: without a blur the filters overshoot."""
    grey = np.full((24, 24), 0.6, np.float32)
    grey[9:17, 8:15] = 0.1
    found = demosaic(grey, bounded=bounded)
    assert (found.min() < 0.09) != bounded
    assert (found.max() > 0.61) != bounded


def test_bounds_are_the_nearest_neighbours_of_the_colour():
    mosaic = np.random.default_rng(3).random((30, 34)).astype(np.float32)
    inside = np.s_[2:-2, 2:-2]
    for colour in range(3):
        known = np.where(colour_of(mosaic.shape) == colour, mosaic, np.nan)
        around = np.stack([np.roll(known, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1)])
        low, high = np.nanmin(around, axis=0), np.nanmax(around, axis=0)
        expected = np.clip(published(mosaic)[..., colour], low, high)
        found = demosaic(mosaic, bounded=True)[..., colour]
        missing = (colour_of(mosaic.shape) != colour)[inside]
        np.testing.assert_allclose(found[inside][missing], expected[inside][missing], atol=2e-6)


@pytest.mark.parametrize("shape", [(1, 6), (6, 1)], ids=str)
def test_an_image_one_pixel_wide_has_only_the_colours_that_it_holds(shape):
    found = demosaic(np.ones(shape, np.float32))
    assert np.isnan(found).mean() == pytest.approx(2 / 3)


@pytest.mark.parametrize("shape", [(9, 12), (8, 6), (1, 5)])
def test_several_mosaics_are_demosaiced_at_once(shape):
    both = np.random.default_rng(2).random((2, *shape), np.float32)
    np.testing.assert_array_equal(demosaic(both, bounded=True), [demosaic(one, bounded=True) for one in both])
