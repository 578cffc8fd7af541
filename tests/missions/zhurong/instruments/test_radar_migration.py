"""Kirchhoff's and Gazdag's migration against analytic echoes of points and against Stolt's, in another domain."""

import numpy as np
import pytest
from downlink_pipeline.missions.zhurong.gpr.radar_migration import migrate
from downlink_pipeline.missions.zhurong.gpr.radar_migration_layers import Velocity, kirchhoff, phase_shift

C = 0.299792458
X, TWT_NS = np.arange(0, 8, 0.05), np.arange(-2, 60, 0.1)
SPEED = C / np.sqrt(3.2)


def image_of(delay_ns, strength=1.0, carrier_ghz=0.8):
    """0.5 to 1.1 GHz: nothing is aliased at 5 cm."""
    time = TWT_NS - delay_ns[:, None]
    return (strength * np.exp(-0.5 * (time / 0.9) ** 2) * np.exp(2j * np.pi * carrier_ghz * time)).astype(
        np.complex64
    )


def methods(velocity, start_ns=-2.0):
    return {
        "kirchhoff": lambda image: kirchhoff(image, 0.05, 0.1, velocity, start_ns, 70.0),
        "phase shift": lambda image: phase_shift(image, 0.05, 0.1, velocity, start_ns),
    }


@pytest.fixture
def point():
    """The echo of a point 2 m down at 4 m in permittivity 3.2."""
    slant_m = np.sqrt(2.0**2 + (X - 4.0) ** 2)
    return image_of(2 * slant_m / SPEED, (2.0 / slant_m[:, None]) ** 1.5)


@pytest.mark.parametrize("method", ["kirchhoff", "phase shift"])
def test_a_hyperbola_is_gathered_where_the_point_is(point, method):
    sharp = np.abs(methods(Velocity.of([3.2]))[method](point))
    row, sample = np.unravel_index(sharp.argmax(), sharp.shape)
    assert abs(X[row] - 4.0) <= 0.05
    assert TWT_NS[sample] == pytest.approx(2 * 2.0 / SPEED, abs=0.2)
    power = sharp.astype(np.float64) ** 2
    near = (np.abs(X[:, None] - 4.0) < 0.3) & (np.abs(TWT_NS - 2 * 2.0 / SPEED) < 2.5)
    unfocused = np.abs(point.astype(np.complex128)) ** 2
    assert power[near].sum() / power.sum() > 0.8
    assert unfocused[near].sum() / unfocused.sum() < 0.3


@pytest.mark.parametrize("method", ["kirchhoff", "phase shift"])
def test_it_agrees_with_stolts_in_one_velocity(point, method):
    """Amplitude and phase where the point is: Stolt works with wave numbers and frequencies, no step and no sum."""
    found = methods(Velocity.of([3.2]))[method](point)
    stolt = migrate(point, 0.05, 0.1, SPEED, -2.0)
    strong = np.abs(stolt) > 0.3 * np.abs(stolt).max()
    overlap = np.vdot(stolt[strong], found[strong]) / np.vdot(stolt[strong], stolt[strong])
    assert abs(overlap) == pytest.approx(1, abs=0.15)
    assert abs(np.angle(overlap)) < 0.35


@pytest.mark.parametrize("method", ["kirchhoff", "phase shift"])
def test_a_flat_layer_stays_with_its_amplitude_and_phase(method):
    flat = image_of(np.full(len(X), 20.0))
    moved = methods(Velocity.of([3.2]))[method](flat)[60:100]
    np.testing.assert_allclose(moved[:, 220], 1, atol=0.12)
    assert (np.abs(moved).argmax(axis=1) == 220).all()


@pytest.fixture
def layered():
    """The exact echo of a point 2.6 m down below 1 m of permittivity 2.5 and in 7: Snell's rays, not hyperbolas."""
    slow = np.linspace(0, 0.995 * np.sqrt(2.5), 4000)  # ray parameter times c
    parts = [(1.0, 2.5), (1.6, 7.0)]
    aside_m = sum(h * slow / np.sqrt(eps - slow**2) for h, eps in parts)
    time_ns = sum(2 * h * eps / np.sqrt(eps - slow**2) / C for h, eps in parts)
    return image_of(np.interp(np.abs(X - 4.0), aside_m, time_ns, right=1e3)), float(time_ns[0])


@pytest.mark.parametrize("method", ["kirchhoff", "phase shift"])
def test_below_a_faster_layer_a_point_is_gathered_at_its_vertical_time(layered, method):
    image, vertical_ns = layered
    sharp = np.abs(methods(Velocity.of([2.5, 7.0], [1.0]))[method](image))
    row, sample = np.unravel_index(sharp.argmax(), sharp.shape)
    assert abs(X[row] - 4.0) <= 0.05
    assert TWT_NS[sample] == pytest.approx(vertical_ns, abs=0.3)
    wrong = np.abs(methods(Velocity.of([2.5]))[method](image))
    assert sharp.max() > 1.3 * wrong.max()


def test_rms_velocities_are_dixs():
    """1 m of 2.5 takes 10.548 ns; at twice that v^2 is the mean of both."""
    velocity = Velocity.of([2.5, 7.0], [1.0])
    first_ns = 2 * np.sqrt(2.5) / C
    assert velocity.begins_ns.tolist() == pytest.approx([0, first_ns])
    found = velocity.rms(np.array([-1.0, 5.0, 2 * first_ns]))
    assert found == pytest.approx([C / np.sqrt(2.5)] * 2 + [C * np.sqrt((1 / 2.5 + 1 / 7.0) / 2)])


def test_before_time_zero_kirchhoff_has_nothing(point):
    assert not methods(Velocity.of([3.2]))["kirchhoff"](point)[:, TWT_NS <= 0].any()
