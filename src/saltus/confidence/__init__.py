"""Room for signals, calibrated probabilities and the action that follows from them."""
