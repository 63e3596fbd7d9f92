"""The report of a run: one page with verdicts, errors, figures and settings, that needs nothing else to be read.

`page` makes it, and `captions` has the titles and texts of figures. Importing this package loads neither, since the
workflow reads captions while it parses, and `page` comes with JAX.
"""
