"""The version, read by the build and stamped on every finding."""

__version__ = "0.1.0"
