"""Products that no bundled pass has: images with lines that are not good, sound, radargrams; of the forms agreed on."""

import numpy as np
from downlink_pipeline.model.batches import Product, Quality, Quantity, TimeRange

BEGIN_NS = int(np.datetime64("2021-05-25T04:20:30", "ns").astype(np.int64))
LINES, SAMPLES = 96, 128
BAD_LINES = slice(40, 52)
FILTERS_NM = (480, 525, 650, 700, 800, 900, 950, 1000)


def product(instrument, name, seconds, arrays, quality=0, n_rows=1, level="2C"):
    time_ns = BEGIN_NS + int(seconds * 1e9) + np.arange(n_rows, dtype=np.int64) * 1_000_000_000
    times = {"time_utc_ns": Quantity(time_ns, "ns"), "time_onboard_ns": Quantity(time_ns, "ns")}
    span = TimeRange((int(time_ns[0]), int(time_ns[-1])), (int(time_ns[0]), int(time_ns[-1])), (11, 11), (11.4, 11.5),
                     (11.3, 11.4), (50.0, 50.0))  # fmt: skip
    bits = np.full(n_rows, quality, np.uint32)
    product_id = f"{instrument}-{name}-{seconds}"
    return Product(product_id, "zhurong", "synthetic", instrument, name, level, span, times | arrays, bits, {})


def scene(lines=LINES, samples=SAMPLES):
    """float[lines, samples] from 0 to 1: ground, horizon, a rock, as a camera sees them."""
    y, x = np.mgrid[0:lines, 0:samples] / max(lines, samples)
    ground = 0.45 + 0.2 * np.sin(40 * x + 25 * y) * np.sin(31 * y) + 0.25 * y
    picture = np.where(y < 0.25, 0.85 - y, ground)
    rock = (x - 0.55) ** 2 + 2 * (y - 0.5) ** 2 < 0.01
    return np.clip(np.where(rock, 0.2 + 0.5 * (x - 0.45), picture), 0, 1)


def line_quality(lines, bad):
    quality = np.zeros((1, lines), np.uint8)
    if bad is not None:
        quality[0, bad] = 1
    return Quantity(quality, "", "", ("row", "line"))


def natecam(camera, seconds, pair=-1, bad=None, image_id=1, shift=0):
    colour = np.roll(scene(), shift, axis=1)[..., None] * np.array([255, 200, 150])
    if bad is not None:
        colour[bad] = 0
    arrays = {
        "image": Quantity(colour.astype(np.uint8)[None], "", "", ("row", "line", "sample", "band")),
        "line_quality": line_quality(LINES, bad),
        "camera": Quantity(np.array([camera]), ""),
        "exposure_s": Quantity(np.array([0.012]), "s"),
        "image_id": Quantity(np.array([image_id], np.uint16), ""),
        "pair_id": Quantity(np.array([pair]), ""),
        "mast_yaw_deg": Quantity(np.array([30.0]), "degree"),
        "mast_pitch_deg": Quantity(np.array([-20.5]), "degree"),
    }
    return product("natecam", "image", seconds, arrays, int(Quality.FRAGMENT) if bad is not None else 0)


def mscam(filter_nm, seconds, lines=LINES, samples=SAMPLES):
    radiance = scene(lines, samples) * 40 + filter_nm / 100
    arrays = {
        "image": Quantity(radiance.astype(np.float32)[None], "W m-2 sr-1 um-1", "", ("row", "line", "sample")),
        "line_quality": line_quality(lines, None),
        "filter_nm": Quantity(np.array([float(filter_nm)]), "nm"),
        "exposure_s": Quantity(np.array([0.02]), "s"),
    }
    return product("mscam", "image", seconds, arrays)


def pictures():
    """A stereo pair, of which the right one lacks lines, and one of each filter."""
    pair = [natecam("left", 0, 7, image_id=1), natecam("right", 1, 7, BAD_LINES, image_id=2, shift=-6)]
    return [*pair, *(mscam(nm, 10 + i) for i, nm in enumerate(FILTERS_NM))]


def sound(seconds, level=20.0):
    edges = 1000 * 10 ** (0.1 * (np.arange(-17, 11) - 0.5))
    centre = np.sqrt(edges[:-1] * edges[1:])
    levels = level - 8 * np.log10(centre / 100) + 6 * np.exp(-(np.log(centre / 400) ** 2))
    arrays = {
        "band_centre_hz": Quantity(centre, "Hz", "", ("band",)),
        "band_low_hz": Quantity(edges[:-1], "Hz", "", ("band",)),
        "band_high_hz": Quantity(edges[1:], "Hz", "", ("band",)),
        "band_level_db": Quantity(levels[None], "dB", "", ("row", "band")),
        "sound_level_db": Quantity(np.array([level]), "dB"),
    }
    return product("weather", "sound", seconds, arrays)


def radargram(n_traces=80, n_bins=1500):
    twt_ns = np.linspace(0, 200, n_bins)
    amplitude = 1e4 * np.exp(-twt_ns / 40) * (1 + 0.5 * np.sin(np.arange(n_traces)[:, None] / 9 + twt_ns / 6))
    arrays = {
        "envelope": Quantity(amplitude.astype(np.float32), "1", "", ("row", "sample")),
        "distance_m": Quantity(np.arange(n_traces) * 0.05, "m"),
        "twt_ns": Quantity(twt_ns, "ns", "", ("sample",)),
        "depth_m": Quantity(twt_ns * 0.075, "m", "", ("sample",)),
    }
    return product("gpr", "radargram_high", 100, arrays, n_rows=n_traces)
