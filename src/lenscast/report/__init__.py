"""The report of a run: one page with verdicts, errors, figures and settings, that needs nothing else to be read."""

from lenscast.report.captions import CAPTIONS, Caption
from lenscast.report.page import Tables, report_page

__all__ = ["CAPTIONS", "Caption", "Tables", "report_page"]
