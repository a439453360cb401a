"""The looks of every chart, light and dark: specs name styles, and this says what each looks like."""

from __future__ import annotations

from typing import Any

FONT = '-apple-system, BlinkMacSystemFont, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'

_LIGHT = {
    "ink": "#1d2127",
    "muted": "#59626f",
    "line": "#d9dde3",
    "faint": "#eef0f3",
    "grey": "#9aa3af",
    "accent": "#1b5e9f",
    "amber": "#e8a317",
    "amber_line": "#a86c00",
    "heat": ["#f0f5fb", "#c9dcf0", "#93b9de", "#5590c6", "#2467a8", "#0d3f75"],
    "cell_low": "#1d2127",
    "cell_high": "#ffffff",
}
_DARK = {
    "ink": "#e7e9ec",
    "muted": "#a3acb8",
    "line": "#3a4048",
    "faint": "#262a30",
    "grey": "#707a87",
    "accent": "#7ab6f0",
    "amber": "#d9a03c",
    "amber_line": "#f0bf66",
    "heat": ["#1d2733", "#213f5e", "#2a5c8c", "#4182bd", "#78b0e2", "#c3e0f9"],
    "cell_low": "#e7e9ec",
    "cell_high": "#10151b",
}


def theme(name: str = "light") -> dict[str, Any]:
    """The Vega-Lite config of one theme, "light" or "dark"."""
    colour = _DARK if name == "dark" else _LIGHT
    axis = {
        "labelColor": colour["muted"],
        "titleColor": colour["muted"],
        "labelFontSize": 11,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "domainColor": colour["line"],
        "tickColor": colour["line"],
        "gridColor": colour["faint"],
        "tickSize": 4,
        "labelPadding": 5,
        "labelOverlap": "greedy",
    }
    return {
        "font": FONT,
        "background": None,
        "padding": {"left": 2, "right": 2, "top": 6, "bottom": 2},
        "view": {"stroke": None},
        "title": {
            "color": colour["ink"],
            "subtitleColor": colour["muted"],
            "anchor": "start",
            "fontSize": 15,
            "fontWeight": 600,
            "subtitleFontSize": 12,
            "offset": 14,
        },
        "axis": axis,
        "axisX": {"grid": False, "titleAnchor": "end", "titlePadding": 8},
        "axisY": {
            "domain": False,
            "ticks": False,
            "titleAngle": 0,
            "titleAlign": "left",
            "titleAnchor": "end",
            "titleBaseline": "bottom",
            "titleX": 0,
            "titleY": -9,
        },
        "legend": {
            "labelColor": colour["muted"],
            "titleColor": colour["muted"],
            "titleFontWeight": "normal",
            "titleFontSize": 12,
            "labelFontSize": 11,
        },
        "range": {"heatmap": colour["heat"], "ramp": colour["heat"]},
        "style": _styles(colour),
    }


def _styles(colour: dict[str, Any]) -> dict[str, dict[str, Any]]:
    point = {"size": 46, "opacity": 1, "cursor": "pointer"}
    text = {"fontSize": 11, "font": FONT}
    return {
        "point": {**point, "color": colour["accent"]},
        "unused": {**point, "color": colour["accent"], "strokeWidth": 1.4},
        "small-point": {"size": 16, "opacity": 1, "color": colour["accent"]},
        "bar": {"color": colour["accent"], "strokeWidth": 1.2, "opacity": 0.55},
        "band": {"color": colour["accent"], "opacity": 0.16},
        "fit": {"color": colour["accent"], "strokeWidth": 2, "opacity": 1},
        "rival": {"color": colour["grey"], "strokeWidth": 1, "opacity": 0.9},
        "chance": {"color": colour["muted"], "strokeDash": [4, 3], "strokeWidth": 1},
        "chance-label": {**text, "color": colour["muted"], "align": "left", "baseline": "middle", "dx": 5},
        "onset": {"color": colour["amber"], "opacity": 0.26},
        "onset-line": {"color": colour["amber_line"], "strokeWidth": 1.2},
        "onset-bar": {
            "color": colour["amber"],
            "strokeWidth": 5,
            "opacity": 0.55,
            "strokeCap": "round",
            "cursor": "pointer",
        },
        "onset-point": {"size": 58, "opacity": 1, "color": colour["amber_line"], "cursor": "pointer"},
        "edge": {"color": colour["line"], "strokeWidth": 1},
        "forecast-bar": {"color": colour["amber_line"], "strokeWidth": 2, "opacity": 0.9},
        "forecast-point": {"size": 74, "opacity": 1, "color": colour["amber_line"]},
        "expected": {"color": colour["amber_line"], "strokeWidth": 1.6, "strokeDash": [2, 3]},
        "change-bar": {"color": colour["accent"], "strokeWidth": 5, "opacity": 0.3, "strokeCap": "round"},
        "change-point": {"size": 52, "opacity": 1, "color": colour["accent"]},
        "warning-point": {"size": 80, "opacity": 1, "color": colour["amber_line"]},
        "score-point": {"size": 30, "opacity": 1, "color": colour["accent"], "cursor": "pointer"},
        "control-point": {"size": 46, "opacity": 1, "color": colour["muted"]},
        "control-bar": {"color": colour["muted"], "strokeWidth": 4, "opacity": 0.35, "strokeCap": "round"},
        "before": {"size": 46, "opacity": 1, "color": colour["accent"], "strokeWidth": 1.4},
        "link": {"color": colour["grey"], "strokeWidth": 1, "opacity": 0.8},
        "reference": {"color": colour["muted"], "strokeWidth": 1},
        "onset-end": {"color": colour["amber_line"], "strokeWidth": 1, "strokeDash": [2, 3]},
        "onset-middle": {"color": colour["amber"], "strokeWidth": 2},
        "cell": {"cursor": "pointer"},
        "missing": {"filled": False, "color": colour["line"], "strokeDash": [2, 2], "strokeWidth": 1},
        "cell-low": {**text, "color": colour["cell_low"], "fontSize": 10.5},
        "cell-high": {**text, "color": colour["cell_high"], "fontSize": 10.5},
    }
