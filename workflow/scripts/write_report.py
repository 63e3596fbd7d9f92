"""The report of a run: one page with verdicts, errors, figures and settings."""

from _job import experiment, start

start(snakemake)

from pathlib import Path

import pandas as pd

from lenscast import io
from lenscast.io.atomic import appearing
from lenscast.report.page import Tables, report_page

p = snakemake.params
columns = [map(pd.read_csv, snakemake.input[name]) for name in Tables._fields]
tables = {name: Tables(*each) for name, *each in zip(p.data_vectors, *columns, strict=True)}
figures = dict(zip(p.figures, zip(p.figures.values(), map(Path, snakemake.input.figures), strict=True), strict=True))
made_by = io.load(snakemake.input.forecast, names=[]).provenance
page = report_page(experiment(snakemake), tables, figures, snakemake.config, made_by)
with appearing(Path(snakemake.output.page)) as temporary:
    temporary.write_text(page, encoding="utf-8")
