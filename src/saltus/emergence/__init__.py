"""Pure functions from scores to findings: does the score jump, where, and is the jump real?"""

from saltus.emergence.detect import detect, detect_all
from saltus.emergence.lags import lags
from saltus.emergence.pooled import detect_pooled
from saltus.emergence.robustness import RobustnessTable, compare_variants
from saltus.emergence.series import Series, build_series, usable_axes
from saltus.emergence.timeline import timelines
from saltus.emergence.warning import early_warnings

__all__ = [
    "RobustnessTable",
    "Series",
    "build_series",
    "compare_variants",
    "detect",
    "detect_all",
    "detect_pooled",
    "early_warnings",
    "lags",
    "timelines",
    "usable_axes",
]
