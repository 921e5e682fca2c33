"""The template: small, in force, and its colours apart on the card, for colour-blind readers too."""

from itertools import combinations

import numpy as np
import plotly.io as pio
import pytest

from seqrec_edu.figures import history_timeline, top_k_bars, top_k_change, training_curves
from seqrec_edu.figures.dark import _PAIRS, DARK_CATEGORIES
from seqrec_edu.figures.template import CARD, CATEGORIES, DASHES, INK, MUTED, SYMBOLS

CARDS = {
    "light": (CARD, CATEGORIES, (INK, MUTED)),
    "dark": (_PAIRS[CARD], DARK_CATEGORIES, (_PAIRS[INK], _PAIRS[MUTED])),
}
cards = pytest.mark.parametrize("card", CARDS)

# Machado, Oliveira and Fernandes (2009), full severity, in linear RGB.
EYES = {
    "usual": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def linear(colour):
    value = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    dark, light = sorted(linear(colour) @ [0.2126, 0.7152, 0.0722] for colour in (one, other))
    return (light + 0.05) / (dark + 0.05)


def lab(rgb):
    white = np.array([0.9505, 1.0, 1.089])
    xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]] @ np.clip(rgb, 0, 1) / white
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@cards
@pytest.mark.parametrize("eye", EYES)
def test_categories_stay_apart(card, eye):
    seen = [lab(np.asarray(EYES[eye]) @ linear(colour)) for colour in CARDS[card][1]]
    assert min(np.linalg.norm(a - b) for a, b in combinations(seen, 2)) > 12  # 2.3 is the least that an eye tells


@cards
def test_contrast_on_the_card(card):
    ground, categories, texts = CARDS[card]
    assert min(contrast(colour, ground) for colour in categories) >= 3  # WCAG 2.2, 1.4.11, graphics
    assert min(contrast(colour, ground) for colour in texts) >= 4.5  # 1.4.3, text


def test_colour_is_never_the_only_sign():
    assert len(set(SYMBOLS)) == len(CATEGORIES) == len(DASHES)


def test_every_figure_wears_the_small_template():
    assert len(pio.templates["seqrec"].to_plotly_json().__repr__()) < 2500
    for figure in (
        history_timeline([1, 1], [1, 2]),
        top_k_bars(["a"], [1.0]),
        top_k_change([(1, 1.0)], [(1, 1.0)]),
        training_curves([]),
    ):
        assert figure.layout.template.layout.paper_bgcolor == CARD and len(figure.to_json()) < 4500
        assert figure.layout.title.text.startswith("<b>")


def test_the_default_of_others_is_left_alone():
    assert pio.templates.default == "plotly"
