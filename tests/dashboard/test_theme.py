"""Colours of the page: text and graphics stand out in both themes, and lines are told apart by all eyes."""

from itertools import combinations

import numpy as np
import pytest

pytest.importorskip("bokeh", reason="bokeh is not installed")
from downlink_pipeline.dashboard import theme

THEMES = {"dark": theme._DARK, "light": theme._LIGHT}
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
"""WCAG 2.2, relative luminance."""
EYES = {
    "common": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
"""Machado, Oliveira and Fernandes 2009, table of severity 1.0, on linear RGB."""
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = np.array([0.9505, 1.0, 1.089])
"""sRGB, D65."""


def linear(colour):
    values = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    dark, light = sorted(linear(colour) @ LUMINANCE for colour in (one, other))
    return (light + 0.05) / (dark + 0.05)


def lab(colour, eye):
    xyz = TO_XYZ @ np.clip(np.array(EYES[eye]) @ linear(colour), 0, 1) / WHITE
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_black_on_white_is_21_to_1():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("name", THEMES)
def test_text_stands_out_4_5_to_1(name):
    colours = THEMES[name]
    for text in ("text", "muted", "good", "bad", "warning"):
        for ground in ("page", "panel"):
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)


@pytest.mark.parametrize("name", THEMES)
def test_lines_and_marks_stand_out_3_to_1(name):
    for colour in (*theme.LINES, theme.PINK, theme.FLAG, theme.WARNING):
        assert contrast(colour, THEMES[name]["panel"]) >= 3, colour


@pytest.mark.parametrize("name", THEMES)
def test_the_outline_of_what_has_the_focus_stands_out_3_to_1(name):
    for ground in ("page", "panel", "line"):
        assert contrast(THEMES[name]["focus"], THEMES[name][ground]) >= 3, ground


@pytest.mark.parametrize("eye", EYES)
def test_lines_are_told_apart_by_all_eyes(eye):
    for one, other in combinations((*theme.LINES, theme.PINK), 2):
        assert np.linalg.norm(lab(one, eye) - lab(other, eye)) >= 20, (one, other)
