"""The site of the documentation: pages in Markdown, notebooks that run, and references that the code writes."""

import os
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
# kernels inherit it: notebooks run for seconds and compile for longer, as jobs and tests do
os.environ.update(
    XLA_FLAGS="--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false",
    JAX_COMPILATION_CACHE_DIR=str(DOCS.parent / ".cache/jax/docs"),
    JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS="0",
    EQX_ON_ERROR="nan",  # JAX caches no program that can raise an error
)

import lenscast
from lenscast.experiment import Experiment, Training

sys.path.insert(0, str(DOCS / "_site"))

from config_reference import config_reference
from pages import shown

project, author, release = "lenscast", "The lenscast developers", lenscast.__version__
copyright = author
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax", "sphinx_copybutton"]
exclude_patterns = ["_build", "_site"]
html_theme = "pydata_sphinx_theme"
html_title = "lenscast"
html_theme_options = {"show_toc_level": 2, "navigation_with_keys": False, "secondary_sidebar_items": ["page-toc"]}

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
# parts of README start below its title; the language of a notebook that did not run is not known
suppress_warnings = ["myst.header", "myst-nb.lexer"]
nb_execution_mode = "cache"
nb_execution_cache_path = str(DOCS.parent / ".cache/notebooks")
nb_execution_raise_on_error = True
nb_execution_timeout = 900
nb_merge_streams = True

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True

REFERENCES = {
    "config": (
        Experiment,
        "Keys of a config",
        "Every key, from the JSON schema that `lenscast config schema` prints. A key without a default is required in "
        "a complete config; one on a `base` has the keys that differ. `config.yaml` shows each key with its source.",
    ),
    "training": (
        Training,
        "Keys of a training",
        "Every key of `configs/training.yaml`, from the JSON schema that `lenscast config schema training` prints.",
    ),
}


def setup(app):
    """Write the references, and show files of the repository as pages."""
    for name, described in REFERENCES.items():
        (DOCS / f"reference/{name}.md").write_text(config_reference(*described))
    app.connect("source-read", _read)


def _read(app, name, source):
    """Put what a page includes in its place."""
    source[0] = shown(source[0], Path(app.env.doc2path(name)))
