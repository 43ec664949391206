"""A comparison as one page that anybody can open: see `Comparison.to_html`."""

from localreg.compare.report.document import page, plots

__all__ = ["page", "plots"]
