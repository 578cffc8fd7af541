"""The landscape: a plain of soil with ripples and rocks, hills at the horizon, a butterscotch sky [assumed].

Rays in, reflectance factors out. Rocks are half-buried balls; the Sun lights them and they cast shadows. All places
are metres north and east of the mission's own origin, so that a rover that drives sees them pass.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from . import chance
from .arrays import Flags, Reals
from .traverse import Traverse

_NM = (480.0, 525.0, 650.0, 700.0, 800.0, 900.0, 950.0, 1000.0)
_SOIL = (0.090, 0.130, 0.270, 0.290, 0.310, 0.300, 0.305, 0.310)
_ROCK = (0.070, 0.090, 0.160, 0.170, 0.175, 0.165, 0.160, 0.165)
_SKY = (0.105, 0.135, 0.240, 0.245, 0.235, 0.225, 0.220, 0.215)
_HILL = (0.100, 0.128, 0.225, 0.235, 0.240, 0.235, 0.230, 0.230)
_N_ROCKS = 90
_FIELD_M = 11.0
_CLEARANCE_M = 1.3
_TARGET_M = 0.19
_WAVES = 14
_BLUR_RAD = 0.004
_AMBIENT = 0.18
_NEAREST_HORIZON = 0.02
"""Rays that fall less meet the ground beyond 90 m, where all is even."""
_TILE = 64
_MARGIN = 1e-6
_BLURRED = 11.0
"""Radians of a wave in a footprint beyond which nothing is left of it: exp(-60)."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Rocks: `centre [n, 2]` north and east, `radius [n]`; waves of the ground `[k, 2]` in rad/m, `phase [k]`."""

    centre_m: Reals
    radius_m: Reals
    wave: Reals
    phase: Reals
    horizon_phase: Reals

    def look(self, eye_m: Reals, ray: Reals, to_sun: Reals, wavelength_nm: tuple[float, ...]) -> Reals:
        """Reflectance factor [lines, samples, wavelengths] along unit vectors `ray [lines, samples, 3]`.

        Rays are north, east, down; `eye_m`: north, east, and height over the ground. A tile at a time, since few
        rocks are before one tile.
        """
        found = np.empty((*ray.shape[:-1], len(wavelength_nm)))
        for line in range(0, len(ray), _TILE):
            for sample in range(0, ray.shape[1], _TILE):
                tile = slice(line, line + _TILE), slice(sample, sample + _TILE)
                found[tile] = self._tile(eye_m, ray[tile], to_sun, wavelength_nm)
        return found

    def _tile(self, eye_m: Reals, ray: Reals, to_sun: Reals, wavelength_nm: tuple[float, ...]) -> Reals:
        rays = ray.reshape(-1, 3)
        kind, shade = self._surface(rays)
        found = np.stack([_spectrum(material, wavelength_nm) for material in (_SOIL, _SKY, _HILL)])[kind]
        found *= shade[:, None]
        near = np.flatnonzero(rays[:, 2] > _NEAREST_HORIZON)
        if len(near):
            found[near] = self._foreground(eye_m, rays[near], to_sun, wavelength_nm)
        factors: Reals = found.reshape(*ray.shape[:-1], len(wavelength_nm))
        return factors

    def _foreground(self, eye_m: Reals, rays: Reals, to_sun: Reals, wavelength_nm: tuple[float, ...]) -> Reals:
        """Ground that is near enough for ripples, rocks and their shadows."""
        reach = eye_m[2] / rays[:, 2]
        place = eye_m[:2] + rays[:, :2] * reach[:, None]
        dark = self._only(self._may_shade(place, to_sun)).shadowed(place, to_sun)
        lit = np.where(dark, _AMBIENT, 1.0) * (1.0 + 0.34 * self._ripples(place, reach))
        ground = _spectrum(_SOIL, wavelength_nm) * lit[:, None]
        hit, normal = self._only(self._may_be_before(eye_m, rays)).rocks(eye_m, rays, reach)
        facing = np.clip(normal @ to_sun, 0.0, None) / -to_sun[2]
        bright = _AMBIENT + (1.0 - _AMBIENT) * facing
        dust = np.clip(-normal[:, 2], 0.0, 1.0)[:, None] ** 3 * 0.6
        stone = dust * _spectrum(_SOIL, wavelength_nm) + (1.0 - dust) * _spectrum(_ROCK, wavelength_nm)
        return np.where(hit[:, None], stone * bright[:, None], ground)

    def _only(self, rocks: Flags) -> Scene:
        """The same with some of the rocks."""
        return replace(self, centre_m=self.centre_m[rocks], radius_m=self.radius_m[rocks])

    def _may_be_before(self, eye_m: Reals, rays: Reals) -> Flags:
        """Rocks [n] that reach into the cone around the rays."""
        away = np.hstack([self.centre_m - eye_m[:2], np.full((len(self.centre_m), 1), eye_m[2])])
        distance = np.linalg.norm(away, axis=1)
        axis = rays.mean(axis=0) / np.linalg.norm(rays.mean(axis=0))
        aside = np.arccos(np.clip(away @ axis / distance, -1.0, 1.0))
        half = np.arccos(np.clip((rays @ axis).min(), -1.0, 1.0))
        kept: Flags = aside < half + np.arcsin(np.minimum(self.radius_m / distance, 1.0)) + _MARGIN
        return kept

    def _may_shade(self, place_m: Reals, to_sun: Reals) -> Flags:
        """Rocks [n] whose shadow, an ellipse away from the Sun, may touch the rectangle around the places."""
        level = to_sun[:2] / np.hypot(*to_sun[:2])
        axes = np.stack([level, [-level[1], level[0]]], axis=1)
        places, rocks = place_m @ axes, self.centre_m @ axes
        size = self.radius_m[:, None] * [1.0 / -to_sun[2], 1.0] + _MARGIN
        kept: Flags = ((rocks > places.min(axis=0) - size) & (rocks < places.max(axis=0) + size)).all(axis=1)
        return kept

    def _surface(self, rays: Reals) -> tuple[Reals, Reals]:
        """0 ground, 1 sky, 2 hills, and how bright against the material."""
        elevation = np.degrees(np.arcsin(np.clip(-rays[:, 2], -1.0, 1.0)))
        azimuth = np.arctan2(rays[:, 1], rays[:, 0])
        waves = np.sin(np.outer(azimuth, (3, 5, 9, 16)) + self.horizon_phase) @ np.array([0.5, 0.35, 0.2, 0.08])
        top = 0.9 + 0.7 * waves
        kind = np.where(elevation > np.maximum(top, 0.0), 1, np.where(elevation > 0.0, 2, 0))
        sky = 0.8 + 0.35 * np.exp(-np.clip(elevation, 0.0, None) / 12.0)
        return kind, np.where(kind == 1, sky, 1.0)

    def _ripples(self, place_m: Reals, reach_m: Reals) -> Reals:
        """Between -1 and 1, smoothed where a pixel sees more than a wave."""
        number = np.hypot(*self.wave.T)
        footprint = _BLUR_RAD * reach_m * np.maximum(reach_m, 1.0) / 1.8
        longer = footprint.min() * number < _BLURRED
        seen = np.exp(-0.5 * (footprint[:, None] * number[longer]) ** 2)
        waves = np.zeros((len(place_m), len(number)))
        waves[:, longer] = np.sin((place_m @ self.wave.T + self.phase)[:, longer]) * seen
        height: Reals = waves.mean(axis=1) * 2.2
        return height

    def shadowed(self, place_m: Reals, to_sun: Reals) -> Flags:
        """Whether a rock is between a place on the ground and the Sun."""
        along = self.centre_m @ to_sun[:2] - (place_m @ to_sun[:2])[:, None]
        away2 = (self.centre_m**2).sum(axis=1) + (place_m**2).sum(axis=1)[:, None] - 2.0 * place_m @ self.centre_m.T
        apart2 = away2 - along**2
        dark: Flags = ((apart2 < self.radius_m**2) & (along > 0.0)).any(axis=1)
        return dark

    def rocks(self, eye_m: Reals, rays: Reals, limit_m: Reals) -> tuple[Flags, Reals]:
        """Which rays meet a rock before `limit_m`, and the surface's normal there (north, east, down)."""
        if not len(self.radius_m):
            return np.zeros(len(rays), np.bool_), np.zeros((len(rays), 3))
        away = np.concatenate([self.centre_m - eye_m[:2], np.full((len(self.centre_m), 1), eye_m[2])], axis=1)
        along = rays @ away.T
        inside = along**2 - (away * away).sum(axis=1) + self.radius_m**2
        reach = np.where(inside > 0.0, along - np.sqrt(np.maximum(inside, 0.0)), np.inf)
        reach = np.where(reach > 0.0, reach, np.inf)
        nearest = reach.argmin(axis=1)
        distance = reach[np.arange(len(rays)), nearest]
        hit = distance < limit_m
        point = rays * np.where(hit, distance, 0.0)[:, None]
        return hit, (point - away[nearest]) / self.radius_m[nearest][:, None]


def make_scene(rover: Traverse, target_m: Reals, seed: int) -> Scene:
    """Rocks around the way that the rover takes, and not on it; one at the target of its instruments."""
    draw = chance.stream(seed, "scene")
    way = rover.position_ned_m[:, :2]
    candidates = way.mean(axis=0) + _FIELD_M * (2.0 * draw.random((6 * _N_ROCKS, 2)) - 1.0)
    radius = 0.05 + 0.4 * draw.random(len(candidates)) ** 3
    apart = np.sqrt(((candidates[:, None] - way[None, ::5]) ** 2).sum(axis=-1)).min(axis=1)
    kept = np.flatnonzero(apart > _CLEARANCE_M + radius)[:_N_ROCKS]
    length = np.geomspace(0.06, 5.0, _WAVES)
    angle = 2.0 * np.pi * draw.random(_WAVES)
    wave = 2.0 * np.pi / length[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    centre = np.vstack([target_m, candidates[kept]])
    return Scene(
        centre, np.append(_TARGET_M, radius[kept]), wave, 2.0 * np.pi * draw.random(_WAVES), 6.3 * draw.random(4)
    )


def _spectrum(material: tuple[float, ...], wavelength_nm: tuple[float, ...]) -> Reals:
    return np.interp(wavelength_nm, _NM, material)
