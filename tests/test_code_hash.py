import ast
import shutil
from functools import cache
from pathlib import Path
from textwrap import dedent

import pytest

from lenscast.code_hash import PACKAGE, code_hash, reached

SCRIPTS = Path(__file__).resolve().parents[1] / "workflow" / "scripts"
NAMES = sorted(path.stem for path in SCRIPTS.glob("*.py") if not path.name.startswith("_"))


class Tree:
    """A package `pkg` and a folder of scripts, written from texts."""

    def __init__(self, folder):
        self.package, self.scripts = folder / "pkg", folder / "scripts"
        self.write("pkg/__init__.py", "")
        self.write("scripts/job.py", "")

    def write(self, path, text):
        file = self.package.parent / path
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_text(dedent(text))

    def reached(self, script, *objects):
        self.write("scripts/job.py", script)
        return {*reached(self.scripts / "job.py", *objects, package=self.package)} - {"job:<import>"}

    def hash(self, *objects):
        return code_hash(self.scripts / "job.py", *objects, package=self.package)

    def hashes(self, path, *texts):
        """Hashes of the script with different texts of one file."""
        found = []
        for text in texts:
            self.write(path, text)
            found.append(self.hash())
        return found


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)


MODULE = """
import numpy as np

SIZE: int = 3
a, (b, *c) = 1, (2, 3)

def helper():
    return SIZE

def used():
    return helper()

def unused():
    return a
"""


@pytest.mark.parametrize(
    ("script", "symbols"),
    [
        ("from pkg.m import used, unused\nused()", "used helper SIZE"),
        ("from pkg.m import used", ""),
        ("from pkg.m import used as u\nprint(u)", "used helper SIZE"),
        ("from pkg import m\nm.used()", "used helper SIZE"),
        ("import pkg.m\npkg.m.used.cache()", "used helper SIZE"),
        ("import pkg.m as f\nx = f.b", "b"),
        ("from pkg import m\nm.c.append(1)", "c"),
        ("from pkg import m\nvars(m)", "used helper SIZE unused a b c"),
        ("from pkg import m\ngetattr(m, 'a')", "used helper SIZE unused a b c"),
        ("from pkg import m\nm.__dict__", "used helper SIZE unused a b c"),
        ("from pkg.m import *", "used helper SIZE unused a b c"),
        ("def run():\n    from pkg.m import used\n    return used()\nrun()", "used helper SIZE"),
        (
            "def run():\n    from pkg.m import used\n    def inner():\n        return used()\n    return inner",
            "used helper SIZE",
        ),
        ("class A:\n    from pkg.m import b", ""),
        ("class A:\n    from pkg.m import b\n    x = b", "b"),
        ("try:\n    from pkg.m import a\nexcept ImportError:\n    a = 1\nprint(a)", "a"),
        ("if 1:\n    from pkg.m import a\nelse:\n    from pkg.m import b as a\nprint(a)", "a b"),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pkg.m import a\nprint(a)", ""),
        (
            "import typing\nif typing.TYPE_CHECKING:\n    from pkg.m import a\nelse:\n    from pkg.m import b as a\na",
            "b",
        ),
        ("from pkg.m import a, b\ndef f(x: a, *y: a, z: 'a' = b) -> a:\n    w: a = x", "b"),
        ("from pkg.m import a, b\nclass A:\n    x: a\n    def f(self):\n        y: b", "a"),
        ("from pkg.m import a, b\nclass A:\n    x: Annotated[int, Check(a)] = 3\n    y: 'b'", "a"),
        ("from pkg.m import a, b\nx: b = a", "a"),
        ("from pkg.m import a, b\n@a\nclass A(b): pass", "a b"),
        ("from pkg.m import a, b\n@a.d(x=b)\ndef f(): pass", "a b"),
        ("from pkg.m import a, b\nclass A:\n    def f(self):\n        return lambda a, x=b: a", "b"),
        ("from pkg.m import a, b\ndef f(a):\n    b = a\n    return b", ""),
        ("from pkg.m import a, b\ndef f():\n    return [a for a in range(3)], [x for x in b]", "b"),
        ("from pkg.m import a\ndef f():\n    [a for a in range(3)]\n    return a", "a"),
        ("from pkg.m import a\ndef f():\n    (lambda a: a)(1)\n    return a", "a"),
        ("from pkg.m import a, b\ndef f(x=lambda b: b):\n    return b", "b"),
        ("from pkg.m import a\na = [a for a in [1]]", ""),
        ("from pkg.m import a\ndef f():\n    global a\n    a += 1\n    return a", "a"),
        ("from pkg.m import a, b\ndef f(x):\n    match x:\n        case {'k': a, **b}:\n            return a, b", ""),
        ("from pkg.m import a\ndef f():\n    try: pass\n    except E as a: print(a)", ""),
        ("from pkg.m import a, b\nx = f'{a:{b}}'", "a b"),
    ],
)
def test_names_are_followed_where_they_are_used(tree, script, symbols):
    tree.write("pkg/m.py", MODULE)
    found = {key for key in tree.reached(script) if key.startswith("pkg.m:")}
    assert found == {f"pkg.m:{symbol}" for symbol in symbols.split()}


def test_scope_of_a_comprehension_and_of_the_script_differ(tree):
    tree.write("pkg/m.py", MODULE)
    assert "pkg.m:a" in tree.reached("from pkg.m import a\nx = [y for y in a if a]")


def test_re_exports_are_followed_to_the_definition(tree):
    tree.write(
        "pkg/sub/__init__.py", "from .one import f as g\nfrom . import two\nfrom pkg.sub.two import two as two_f\n"
    )
    tree.write("pkg/sub/one.py", "from ..base import x\ndef f(): return x\n")
    tree.write("pkg/sub/two.py", "def two(): pass\n")
    tree.write("pkg/base.py", "x = 1\ny = 2\n")
    one = {"pkg.sub.one:f", "pkg.base:x"}
    assert tree.reached("from pkg.sub import g\ng()") == one
    assert tree.reached("from pkg import sub\nsub.g()") == one
    assert tree.reached("import pkg.sub.one\npkg.sub.g()") == one
    assert tree.reached("from pkg.sub import two\ntwo.two()") == {"pkg.sub.two:two"}
    assert tree.reached("from pkg.sub import two_f\ntwo_f()") == {"pkg.sub.two:two"}
    assert tree.reached("from pkg import sub\nprint(sub)") == one | {"pkg.sub.two:two"}


def test_a_package_may_export_a_function_of_the_name_of_its_module(tree):
    tree.write("pkg/sub/__init__.py", "from pkg.sub.growth import growth\n")
    tree.write("pkg/sub/growth.py", "def growth(): pass\ndef other(): pass\n")
    assert tree.reached("from pkg.sub import growth\ngrowth()") == {"pkg.sub.growth:growth"}
    assert tree.reached("from pkg.sub.growth import other\nother()") == {"pkg.sub.growth:other"}


def test_star_imports_count_as_a_whole(tree):
    tree.write("pkg/__init__.py", "from .m import *\n")
    tree.write("pkg/m.py", "def f(): pass\ndef g(): pass\n")
    assert tree.reached("from pkg import f\nf()") == {"pkg.m:f", "pkg.m:g"}


def test_modules_beside_the_script_count(tree):
    tree.write("scripts/_help.py", "from pkg.m import a\ndef used(): return a\ndef unused(): pass\n")
    tree.write("pkg/m.py", MODULE)
    assert tree.reached("from _help import used\nused()") == {"_help:used", "pkg.m:a"}


def test_all_statements_of_the_script_count(tree):
    tree.write("pkg/m.py", MODULE)
    script = "from pkg.m import a\ndef never_called():\n    return a\nfor i in range(3):\n    print(i)\n"
    assert tree.reached(script) == {"job:never_called", "job:i", "pkg.m:a"}


DEPOSIT = """
from pkg.base import rule, lowering, clouds
import lib
def deposit(x):
    return _p.bind(x)
def _plain(x):
    return clouds
def _push(x):
    return rule
def unrelated():
    return 1
_p = make("deposit", _plain)
_unused = 3
lib.jvps[_p] = _push
lib.register(_p, lowering)
"""


def test_statements_that_act_on_import_count(tree):
    tree.write("pkg/base.py", "rule = lowering = clouds = other = 1\nlib.config.update('x', other)\n")
    tree.write("pkg/deposit.py", DEPOSIT)
    deposit = {f"pkg.deposit:{name}" for name in ("deposit", "_p", "_plain", "_push", "<import>")}
    base = {f"pkg.base:{name}" for name in ("rule", "lowering", "clouds", "other", "<import>")}
    assert tree.reached("from pkg.deposit import deposit\ndeposit(1)") == deposit | base


@pytest.mark.parametrize(
    ("statement", "acts"),
    [
        ("register(x)", True),
        ("table[0] = x", True),
        ("y, table[0] = 1, x", True),
        ("thing.attribute: int = x", True),
        ("table[0] += x", True),
        ("for i in x: pass", True),
        ("while x: pass", True),
        ("with x: pass", True),
        ("assert x", True),
        ("if x: raise ValueError", True),
        ("if True:\n    y = 1\n    register(x)", True),
        ("try:\n    import lib\nexcept ImportError:\n    register(x)", True),
        ("'''x'''", False),
        ("y = register(x)", False),
        ("y: x = 1", False),
        ("if x:\n    import lib\nelse:\n    lib = None", False),
        ("try:\n    import lib\nexcept ImportError:\n    lib = x", False),
        ("def f(): return x", False),
        ("class F(x): pass", False),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    register(x)", False),
    ],
)
def test_which_statements_act(tree, statement, acts):
    tree.write("pkg/m.py", f"x = 1\ndef f(): pass\ndef g(): pass\n{statement}\n")
    assert ("pkg.m:x" in tree.reached("from pkg.m import g\ng()")) == acts


def test_parent_packages_act_but_their_imports_are_not_followed(tree):
    tree.write("pkg/__init__.py", "import lib\nx = 1\nlib.update(x)\nfrom pkg.other import f\n")
    tree.write("pkg/other.py", "def f(): pass\nlib.update()\n")
    tree.write("pkg/m.py", "def g(): pass\n")
    assert tree.reached("from pkg.m import g\ng()") == {"pkg.m:g", "pkg:<import>", "pkg:x"}


def test_all_definitions_of_a_name_count(tree):
    tree.write("pkg/base.py", "a = b = c = d = e = 1\n@dispatch\ndef table(): pass\n")
    tree.write(
        "pkg/m.py",
        """
        from pkg.base import a, b, c, d, e, table
        if a:
            def f(): return b
        else:
            def f(): return c
        @dispatch
        def g(): pass
        @g.register
        def _(x): return d
        @g.register(int)
        def _int(x): return e
        @table.register
        def entry(): pass
        """,
    )
    common = {"pkg.m:<import>", "pkg.base:table"}
    assert tree.reached("from pkg.m import f\nf()") == common | {"pkg.m:f", *(f"pkg.base:{x}" for x in "abc")}
    assert tree.reached("from pkg.m import g\ng()") == common | {"pkg.m:g", "pkg.base:d", "pkg.base:e"}


def test_a_condition_of_an_import_counts(tree):
    tree.write("scripts/job.py", "from pkg.m import f\nf()\n")
    text = "if {}:\n    from pkg.a import f\nelse:\n    from pkg.b import f\n"
    tree.write("pkg/a.py", "def f(): return 1\n")
    tree.write("pkg/b.py", "def f(): return 2\n")
    first, second = tree.hashes("pkg/m.py", text.format("X"), text.format("not X"))
    assert first != second


def test_objects_named_by_text(tree, tmp_path):
    tree.write("pkg/__init__.py", "from pkg.m import used\n")
    tree.write("pkg/m.py", MODULE)
    tree.write("mine/my_statistic.py", '"""Mine."""\nfrom pkg.m import a\nclass Mine:\n    x = a\ndef other(): pass\n')
    own = str(tmp_path / "mine" / "my_statistic.py")
    used = {"pkg.m:used", "pkg.m:helper", "pkg.m:SIZE"}
    assert tree.reached("pass", "pkg.m:used") == used
    assert tree.reached("pass", "pkg:used") == used
    assert tree.reached("pass", own) == {"my_statistic.py:Mine", "my_statistic.py:other", "pkg.m:a"}
    assert len({tree.hash(), tree.hash(own), tree.hash("pkg.m:used"), tree.hash(own, "pkg.m:used")}) == 4
    assert tree.hash(own, "pkg.m:used") == tree.hash("pkg.m:used", own, own)


def test_files_of_one_name_both_count(tree, tmp_path):
    tree.write("one/s.py", "x = 1\n")
    tree.write("two/s.py", "y = 1\n")
    one, two = str(tmp_path / "one" / "s.py"), str(tmp_path / "two" / "s.py")
    assert len({tree.hash(one), tree.hash(two), tree.hash(one, two)}) == 3


@pytest.mark.parametrize(
    "wrong", ["pkg.m:missing", "pkg.missing:used", "pkg.m", "pkg.m:", "numpy:array", "", ":", "peaks"]
)
def test_an_object_that_names_no_symbol_is_refused(tree, wrong):
    tree.write("pkg/m.py", MODULE)
    with pytest.raises(ValueError, match="names no symbol; give module:symbol of pkg"):
        tree.hash(wrong)


def test_files_that_do_not_exist_are_refused(tree, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"missing\.py: there is no such file"):
        code_hash(tmp_path / "missing.py", package=tree.package)
    with pytest.raises(FileNotFoundError, match=r"mine\.py: there is no such file"):
        tree.hash("mine.py")


def test_a_script_away_from_its_helpers_is_refused(tree):
    with pytest.raises(FileNotFoundError, match="no module _job in"):
        tree.reached("from _job import start\nstart()")
    assert tree.reached("import _thread\n_thread.start()") == set()


def test_a_syntax_error_names_its_file(tree):
    tree.write("pkg/m.py", "def f(:\n")
    with pytest.raises(SyntaxError, match=r"m\.py"):
        tree.reached("from pkg.m import f\nf()")


PLAIN = "import numpy as np\nx = 1\ndef f(a):\n    return np.sum(a) + x\ndef g():\n    return 2\n"


@pytest.mark.parametrize(
    ("text", "same"),
    [
        (
            '"""A module."""\nimport numpy as np\nx = 1\n"""Unit."""\ndef f(a):\n    "F."\n    return np.sum(a) + x\n',
            True,
        ),
        ("# why\nimport numpy as np\nx = (1)\ndef f(\n    a,\n):\n    return (np.sum(a)\n        + x)  # so\n", True),
        ("def h(): return 3\nimport numpy as np\ndef f(a):\n    return np.sum(a) + x\nx = 1\n", True),
        (PLAIN.replace("return 2", "return 3"), True),
        (PLAIN.replace("import numpy as np", "import numpy as np, scipy"), True),
        (PLAIN.replace("np.sum(a) + x", "np.sum(a) - x"), False),
        (PLAIN.replace("x = 1", "x = 2"), False),
        (PLAIN.replace("x = 1", "x = 1.0"), False),
        (PLAIN.replace("import numpy as np", "import jax.numpy as np"), False),
        (PLAIN + "np.seterr()\n", False),
    ],
)
def test_the_hash_follows_code_and_not_layout(tree, text, same):
    tree.write("scripts/job.py", "from pkg.m import f\nf([1])\n")
    before, after = tree.hashes("pkg/m.py", PLAIN, text)
    assert (before == after) == same


def test_imports_that_swap_their_names_change_the_hash(tree):
    tree.write("pkg/a.py", "def f(): return 1\ndef g(): return 2\n")
    tree.write("scripts/job.py", "from pkg.m import run\nrun()\n")
    text = "from pkg.a import {} as one, {} as two\ndef run(): return one() - two()\n"
    first, second = tree.hashes("pkg/m.py", text.format("f", "g"), text.format("g", "f"))
    assert first != second


def test_the_way_of_an_import_does_not_change_the_hash(tree):
    tree.write("pkg/__init__.py", "from pkg.a import f\n")
    tree.write("pkg/a.py", "def f(): return 1\n")
    tree.write("scripts/job.py", "from pkg.m import run\nrun()\n")
    ways = [
        "from pkg.a import f",
        "from pkg import f",
        "from .a import f",
        "from . import f",
        "import os\nfrom .a import f, g",
    ]
    assert len({*tree.hashes("pkg/m.py", *(f"{way}\ndef run(): return f()\n" for way in ways))}) == 1


def test_the_hash_does_not_depend_on_the_folder(tmp_path):
    found = set()
    for name in ("one", "two"):
        tree = Tree(tmp_path / name)
        tree.write("pkg/m.py", PLAIN)
        tree.write("mine.py", "x = 1\n")
        tree.write("scripts/job.py", "from pkg.m import f\nf([1])\n")
        found.add(tree.hash(str(tmp_path / name / "mine.py")))
    assert len(found) == 1


# the real tree


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    folder = tmp_path_factory.mktemp("copied")
    shutil.copytree(PACKAGE, folder / "lenscast", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(SCRIPTS, folder / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def _edited(file, symbol, before, after):
    """The text of a module with another body of a function, or none of its words changed."""
    lines = file.read_text().splitlines(keepends=True)
    node = next(n for n in ast.parse("".join(lines)).body if getattr(n, "name", None) == symbol)
    first = node.body[0]
    lines.insert(
        first.lineno - 1 if first.lineno > node.lineno else first.lineno, " " * first.col_offset + before + "\n"
    )
    return "".join(lines) + after


def _functions(folder, keys):
    """Module-level functions among the symbols that are reached, by file."""
    found = []
    for module, symbol in sorted(key.split(":") for key in keys if key.startswith("lenscast.")):
        base = folder.joinpath(*module.split("."))
        file = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
        if symbol in _longer_functions(file):
            found.append((file, symbol))
    return found


@cache
def _longer_functions(file):
    """Module-level functions whose body begins below the line of their name."""
    body = ast.parse(file.read_text()).body
    return {n.name for n in body if isinstance(n, ast.FunctionDef) and n.body[0].lineno > n.lineno}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_scripts_depend_on_the_code_that_they_reach(copied, name):
    script, package = copied / "scripts" / f"{name}.py", copied / "lenscast"
    before = code_hash(script, package=package)
    assert before == code_hash(SCRIPTS / f"{name}.py")
    functions = _functions(copied, reached(script, package=package))
    assert functions
    edits = [
        (functions[0], "pass", "", False),
        (functions[-1], "pass", "", False),
        (functions[0], '"""Other words."""', "", True),
        (functions[0], "# other words", "\n\n# more words\n", True),
        (functions[0], "", "\n\ndef _unrelated():\n    return 1\n", True),
    ]
    for (file, symbol), inside, behind, same in edits:
        text = file.read_text()
        try:
            file.write_text(_edited(file, symbol, inside, behind))
            assert (code_hash(script, package=package) == before) == same, (file, symbol, inside)
        finally:
            file.write_text(text)
    for path in (script, functions[0][0]):  # other layout
        text = path.read_text()
        try:
            path.write_text(ast.unparse(ast.parse(text)))
            assert code_hash(script, package=package) == before, path
        finally:
            path.write_text(text)


@pytest.mark.parametrize("part", ["lenscast.statistics.peaks", "lenscast.fisher", "lenscast.plotting"])
def test_maps_do_not_depend_on_how_they_are_summarised(part):
    assert [key for key in reached(SCRIPTS / "simulate.py") if key.startswith(part)] == []


def test_the_statistic_that_is_measured_is_reached():
    peaks = reached(SCRIPTS / "measure.py", "lenscast.statistics.peaks:Peaks")
    assert {"lenscast.statistics.peaks:Peaks", "lenscast.statistics.local_maxima:_exceedance"} <= peaks


def test_primitives_are_reached_with_their_rules():
    found = reached(SCRIPTS / "simulate.py")
    names = ("_push_deposit", "_transpose_fetch", "_fetch_in_blocks", "_primitive", "<import>")
    assert {f"lenscast.gravity.deposit:{name}" for name in names} <= found


def test_kept_hashes_are_those_of_the_code(tree, tmp_path, monkeypatch):
    store = tmp_path / "cache" / "code.json"
    script, package = tree.scripts / "job.py", tree.package

    def kept():
        return code_hash(script, package=package, store=store)

    tree.write("pkg/m.py", "def f(): return 1\n")
    tree.write("scripts/job.py", "from pkg.m import f\nf()\n")
    first = tree.hash()
    assert kept() == first
    with monkeypatch.context() as context:
        context.setattr("lenscast.code_hash._closure", lambda *_: pytest.fail("computed again"))
        assert kept() == first
    tree.write("pkg/m.py", "def f(): return 22\n")
    assert kept() == tree.hash() != first
    # what is damaged or cannot be written costs time alone
    store.write_text("[1")
    assert kept() == tree.hash()
    store.unlink()
    store.parent.rmdir()
    store.parent.write_text("no folder")
    assert kept() == tree.hash()
