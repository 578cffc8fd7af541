"""Each product of the bundled passes has an uncertainty or says why it has none; what is given is how far off it is."""

from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from downlink_pipeline.products.uncertainty import UNKNOWN

Decoded = Any
WITHOUT = {
    "clock/pairs": "scatter",
    "libs/drift": "rms_px",
    "natecam/panorama": "natecam/image",
    "orbiter/state": "not sent",
    "rover/engineering": "published",
    "rover/event": "published",
    "rover/navigation": "published",
    "rover/power": "published",
    "rover/sol_drive": "rover/traverse",
    "rover/sol_energy": "published",
}
"""Kinds that have none, and a word of the reason that they give."""


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.nanmean(np.square(values))))


def off(decoded: Decoded, kind: tuple[str, str], array: str, true: np.ndarray) -> float:
    found, sigma = (decoded.rows(*kind, array + end) for end in ("", "_sigma"))
    return rms((found - true) / sigma)


def test_every_kind_of_product_has_a_sigma_or_says_why_not(decoded: Decoded) -> None:
    words = defaultdict(set)
    for product in decoded.products:
        names = [name for name in product.arrays if "_sigma" in name]
        reported = product.lineage["uncertainty"]
        assert reported.startswith("one sigma of " if names else "none: ")
        assert all(name.split("_sigma")[0] in product.arrays for name in names)
        words[f"{product.instrument}/{product.product}"].add(reported)
    assert {kind for kind, reported in words.items() if any(one.startswith("none") for one in reported)} == set(
        WITHOUT
    )
    for kind, reason in WITHOUT.items():
        (reported,) = words[kind]
        assert reason in reported
        assert UNKNOWN not in reported


def test_a_sigma_has_the_unit_of_what_it_is_of_and_no_other_axes(decoded: Decoded) -> None:
    for product in {(one.instrument, one.product): one for one in decoded.products}.values():
        for name, quantity in product.arrays.items():
            base, _, _ = name.partition("_sigma")
            if base == name or base.startswith("covariance"):
                continue
            assert quantity.unit == product.arrays[base].unit, name
            assert set(quantity.dims) <= set(product.arrays[base].dims), name


@pytest.mark.parametrize("sensor", ["outer", "inner", "ambient"])
def test_of_momag(decoded: Decoded, sensor: str) -> None:
    (sigma,) = {
        tuple(one.arrays[f"field_{sensor}_nt_sigma"].values.tolist()) for one in decoded.of("momag", "field")
    }
    error = decoded.rows("momag", "field", f"field_{sensor}_nt") - decoded.truth[f"momag_field_{sensor}_nt"]
    assert rms(error / np.array(sigma)) == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("detector", ["visible", "infrared"])
def test_of_mms(decoded: Decoded, detector: str) -> None:
    true = decoded.truth[f"mms_{detector}_radiance"]
    assert off(decoded, ("mms", "radiance"), f"{detector}_radiance", true) == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize(("code", "band", "n_pulse"), [(1, "10_15", 625), (2, "15_20", 625), (3, "30_50", 500)])
def test_of_mosir(decoded: Decoded, code: int, band: str, n_pulse: int) -> None:
    """A matched filter of n samples leaves 1 / n^0.5 of the noise; the window of von Hann 1.5^0.5 times that."""
    noise = decoded.told["noise"]["mosir"]["echo_count"] / np.sqrt(n_pulse)
    kind = ("mosir", f"echo_{band}")
    assert decoded.rows(*kind, "amplitude_sigma").mean() == pytest.approx(noise, rel=0.1)
    assert decoded.rows(*kind, "amplitude_hann_sigma").mean() == pytest.approx(noise * np.sqrt(1.5), rel=0.1)
    true = decoded.truth["mosir_surface_range_m"][decoded.truth["mosir_band"] == code]
    assert off(decoded, kind, "echo_range_m", true) == pytest.approx(1, abs=0.35)  # of a dozen


@pytest.mark.parametrize(("channel", "noise_db"), [("high_frequency", 122 - 59), ("low_frequency", 212 - 92)])
def test_of_radar_traces(decoded: Decoded, channel: str, noise_db: float) -> None:
    """Noise so far below the direct wave, half of its power in the real part."""
    true = 10 ** (noise_db / 20) / np.sqrt(2)
    for part in ("real", "imaginary"):
        assert np.median(decoded.rows("gpr", channel, f"{part}_sigma")) == pytest.approx(true, rel=0.08)


def test_of_a_radargram_where_no_echo_is_left(clean: Decoded) -> None:
    """The low frequency behind 0.9 us; the echoes of the high one reach to the end of what is kept."""
    (product,) = clean.of("gpr", "radargram_low")
    late = product.arrays["twt_ns"].values > 900
    scale = product.arrays["amplitude"].values[:, late] / product.arrays["amplitude_sigma"].values[:, None]
    assert rms(scale) == pytest.approx(1, abs=0.12)


@pytest.mark.parametrize("camera", ["moric", "hiric"])
def test_of_strips(clean: Decoded, camera: str) -> None:
    (product,) = clean.of(camera, "strip")
    part = np.ix_(*(clean.truth[f"{camera}_pdu_kept_{axis}"] for axis in ("line", "sample")))
    image, sigma = (product.arrays[f"image{end}"].values[0][part] for end in ("", "_sigma"))
    assert rms((image - clean.truth[f"{camera}_pdu_kept_radiance_w_m2_sr_um"]) / sigma) == pytest.approx(
        1, abs=0.06
    )


def test_of_mscam(clean: Decoded) -> None:
    kept, offs = np.ix_(*[clean.truth["mscam_kept"]] * 2), []
    for product in clean.of("mscam", "image"):
        k = clean.truth["mscam_time_utc_ns"].tolist().index(product.arrays["time_utc_ns"].values[0])
        if str(product.arrays["compress_mode"].values[0]) != "LOSSY":
            image, sigma = (product.arrays[f"image{end}"].values[0][kept] for end in ("", "_sigma"))
            offs.append((image - clean.truth["mscam_kept_radiance_w_m2_sr_um"][k]) / sigma)
        reflectance, of_it = (product.arrays[f"reflectance{end}"].values for end in ("", "_sigma"))
        share = product.arrays["image_sigma"].values / product.arrays["image"].values
        np.testing.assert_allclose(of_it / reflectance, share, rtol=1e-4)
    assert rms(np.array(offs)) == pytest.approx(1, abs=0.06)


def test_of_natecam_in_codes(clean: Decoded) -> None:
    """Where the scene has no edge, of pictures that lost nothing by compression."""
    truth, offs = clean.truth, []
    for product in clean.of("natecam", "image"):
        i = truth["natecam_time_utc_ns"].tolist().index(product.arrays["time_utc_ns"].values[0])
        if str(product.arrays["compress_mode"].values[0]) == "LOSSY":
            continue
        kept, linear = truth["natecam_kept"][i], truth["natecam_kept_linear"][i]
        codes = 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
        apart = product.arrays["image"].values[0][np.ix_(kept, kept)] - codes
        offs.append((apart / product.arrays["image_sigma"].values[0])[truth["natecam_kept_smooth"][i]])
    assert rms(np.concatenate(offs)) == pytest.approx(1, abs=0.25)


def test_of_libs_shots(clean: Decoded) -> None:
    for product, point in zip(clean.of("libs", "shot"), np.unique(clean.truth["libs_point_id"]), strict=True):
        true = clean.truth["libs_net_spectrum_dn"][clean.truth["libs_shot_point_id"] == point]
        net, sigma = (product.arrays[f"net_counts{end}"].values for end in ("", "_sigma"))
        assert rms((net - true) / sigma) == pytest.approx(1, abs=0.03)
