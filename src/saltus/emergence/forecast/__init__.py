"""What the next scale will do: an ensemble of curves, other benchmarks, and an honest "cannot be seen"."""

from saltus.emergence.forecast.backtest import backtest
from saltus.emergence.forecast.forecast import forecast_all
from saltus.emergence.forecast.observed import observed_forecasts

__all__ = ["backtest", "forecast_all", "observed_forecasts"]
