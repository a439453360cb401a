"""Pure functions from scores to findings: does the score jump, where, and is the jump real?"""

from saltus.emergence.detect import detect, detect_all
from saltus.emergence.robustness import RobustnessTable, compare_variants
from saltus.emergence.series import Series, build_series, usable_axes

__all__ = [
    "RobustnessTable",
    "Series",
    "build_series",
    "compare_variants",
    "detect",
    "detect_all",
    "usable_axes",
]
