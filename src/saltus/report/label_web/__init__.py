"""The labelling pages: a small web server on this machine, or behind a token. `saltus label serve` runs it.

`server` binds and runs, `guard` decides who may ask, `app` has the routes, `pages` what they show.
"""

from saltus.report.label_web.server import bind, make_app, run_app

__all__ = ["bind", "make_app", "run_app"]
