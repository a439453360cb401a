"""Pure functions from scores to findings: does the score jump, where, and is the jump real?"""

from saltus.emergence.detect import detect, detect_all
from saltus.emergence.series import Series, build_series, usable_axes

__all__ = ["Series", "build_series", "detect", "detect_all", "usable_axes"]
