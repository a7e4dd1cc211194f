"""Settings of the book; `make book` lays out its source with stage.py first."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import docstrings

project = "Deep generative models, put to the test"
html_title = project
author = copyright = "the authors of the course"
language = "en"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax", "sphinx_copybutton"]
exclude_patterns = ["_static"]

nb_execution_mode = "off"
nb_merge_streams = True
nb_ipywidgets_js = {}
nb_mime_priority_overrides = [("html", "text/html", 1)]
copybutton_selector = "div:not(.output) > div.highlight > pre"  # what can be run, not what came of it
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
suppress_warnings = [
    "mystnb.unknown_mime_type",
    "ref.python",  # a short name in a docstring, such as n, that fields of two classes share: it is no reference
]

# one file that holds its own fonts and fetches nothing; no menu, which would load more of MathJax
mathjax_path = "mathjax/es5/tex-svg.js"
mathjax3_config = {"options": {"enableMenu": False}, "svg": {"fontCache": "local"}, "startup": {"typeset": True}}

autodoc_member_order = "bysource"
autodoc_mock_imports = ["nbgrader"]  # the extra [grade], which the book does without
autodoc_typehints = "none"
autodoc_default_options = {"exclude-members": "__init__"}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
default_role = "code"
add_module_names = False

html_theme = "sphinx_book_theme"
html_context = {"default_mode": "auto"}
html_theme_options = {
    "navbar_start": [], "navbar_center": [], "navbar_end": [], "navbar_persistent": [],
    "use_download_button": False,
    "use_fullscreen_button": False,
    "show_toc_level": 2,
    "home_page_in_toc": True,
    "show_navbar_depth": 1,
    "footer_content_items": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}  # fmt: skip
html_favicon = "assets/book/icon.svg"
html_static_path = ["assets/book"]
html_css_files = ["book.css"]
html_js_files = ["book.js"]
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_show_sphinx = False
html_show_search_summary = False  # it would read pages as files, which a browser refuses from disk


def setup(app):
    """Formulas in docstrings, and a place to link to at every cell."""
    app.connect("autodoc-process-docstring", docstrings.process, priority=100)  # before napoleon
    app.connect("doctree-read", _name_cells)
    app.connect("config-inited", lambda app, config: config.html_static_path.append(str(app.srcdir / "_static")))


def _name_cells(app, doctree):
    from docutils import nodes

    for cell in doctree.findall(nodes.container):
        name = cell.get("cell_metadata", {}).get("id")
        if cell.get("nb_element") == "cell_code" and name:
            cell["ids"].append(name)
