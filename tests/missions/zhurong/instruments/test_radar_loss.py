"""Loss tangents of grounds made here: white reflectors in a medium of known loss, spreading and noise."""

import numpy as np
import pytest
from downlink_pipeline.missions.zhurong.gpr.radar_loss import loss_tangent

TWT_NS = np.arange(-2, 110, 0.1)
BAND_MHZ = (450.0, 2150.0)
HOW = {"span_ns": (10.0, 80.0), "window_ns": 8.0, "band_mhz": BAND_MHZ}
NO_SPREAD = {"spreading": (1.0, 0.0), "noise_from_ns": 90.0}


def echoes_of(tangent, power, step_ns=0.2):
    """What a reflector at each time sends back [reflector, sample]: a pulse, less what the way took of it."""
    frequency = np.fft.fftfreq(4096, 0.1)
    at_ns = np.arange(1.0, 108.0, step_ns)
    pulse = np.exp(-0.5 * ((frequency - 1.3) / 0.35) ** 2)  # without edges, which would ring into later windows
    way = np.exp(-np.pi * tangent * np.maximum(frequency, 0) * at_ns[:, None])
    spectrum = pulse * way * np.exp(-2j * np.pi * frequency * (at_ns[:, None] + 2)) / at_ns[:, None] ** power
    return np.fft.ifft(spectrum, axis=1)[:, : len(TWT_NS)].astype(np.complex64)


@pytest.fixture(scope="module")
def kernels():
    return {case: echoes_of(*case) for case in ((0.0174, 1.0), (0.012, 2.0))}


def ground(kernel, seed, n_traces=60, noise=0.0):
    rng = np.random.default_rng(seed)
    shape = (n_traces, len(kernel))
    traces = (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(np.complex64) @ kernel
    wild = rng.normal(size=traces.shape) + 1j * rng.normal(size=traces.shape)
    return traces + (noise * wild).astype(np.complex64)


@pytest.mark.parametrize("case", [(0.0174, 1.0), (0.012, 2.0)], ids=str)
def test_the_loss_is_found_and_its_errors_are_those_that_it_has(kernels, case):
    """60 grounds: the mean within its error (and 3 % of what a window's finite length does), chi about 1."""
    found = [
        loss_tangent(ground(kernels[case], seed, 8), TWT_NS, **HOW, spreading=(case[1], 0.0)) for seed in range(60)
    ]
    for name in ("decay", "spectral"):
        value, sigma = (np.array([getattr(one, name + end) for one in found]) for end in ("", "_sigma"))
        assert value.mean() == pytest.approx(case[0], abs=3 * value.std() / np.sqrt(60) + 0.03 * case[0])
        assert value.std() / np.sqrt(np.mean(sigma**2)) == pytest.approx(1.0, abs=0.35)


def test_the_spectral_estimate_does_not_ask_how_echoes_spread(kernels):
    traces = ground(kernels[0.012, 2.0], 5)
    one, two = (loss_tangent(traces, TWT_NS, **HOW, spreading=(p, 0.0)) for p in (1.0, 2.0))
    assert one.spectral == pytest.approx(two.spectral, rel=0.02)
    assert one.decay - two.decay > 3 * two.decay_sigma


def test_what_is_not_known_of_spreading_is_told_apart(kernels):
    """The same as trying the power one sigma off."""
    traces = ground(kernels[0.012, 2.0], 5)
    known, unsure = (loss_tangent(traces, TWT_NS, **HOW, spreading=(2.0, sigma)) for sigma in (0.0, 0.5))
    off = loss_tangent(traces, TWT_NS, **HOW, spreading=(1.5, 0.0))
    assert known.decay_spreading_sigma == 0
    assert unsure.decay_spreading_sigma == pytest.approx(off.decay - known.decay, rel=0.03)
    assert unsure.decay_sigma == known.decay_sigma


def test_windows_in_the_noise_are_left_out(kernels):
    traces = ground(kernels[0.0174, 1.0], 3, noise=1e-4)
    found = loss_tangent(traces, TWT_NS, **HOW, spreading=(1.0, 0.0), noise_from_ns=90.0)
    assert found.time_ns[-1] < 75
    assert found.decay == pytest.approx(0.0174, abs=4 * found.decay_sigma + 0.0005)


def test_noise_alone_has_no_loss(kernels):
    assert loss_tangent(ground(0 * kernels[0.0174, 1.0], 1, noise=1.0), TWT_NS, **HOW, **NO_SPREAD) is None
