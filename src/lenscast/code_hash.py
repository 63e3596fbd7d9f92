"""Hash of the code that a script reaches, so that editing code re-runs exactly the rules that depend on it.

A statement reaches the top-level definitions whose names it uses, through imports and re-exports, in lenscast and in
the folder of the script. Nothing is imported or executed. Each module on the way adds the statements that act when it
is imported, for example a call that registers a function. Annotations of arguments and local variables are not
followed: the place that makes a value brings its code. Annotations of class fields are: pydantic acts on them.
"""

import ast
import hashlib
import os
import sys
from collections.abc import Iterable
from functools import cache, lru_cache
from pathlib import Path

PACKAGE = Path(__file__).parent
ON_IMPORT, OWN, WHOLE = "<import>", "<own>", "*"  # in place of a symbol: what acts on import, all but imports, all
Key = tuple[str, str]  # module and symbol
Import = tuple[str, tuple[str, ...]]  # module, and the name in it, if any
Reference = tuple[tuple[str, ...], tuple[Import, ...]]  # name with attributes, and imports in a function that bind it
Scope = dict[str, list[Import]]  # names that are bound, and the imports that bind them


def code_hash(script: Path, *objects: str, package: Path = PACKAGE) -> str:
    """Hash of the code that a script and some objects reach, without comments, docstrings and layout.

    Parameters
    ----------
    script
        Python file. Modules in its folder count as those of the package do.
    objects
        Objects that the script loads by name: "module:symbol", or the path of a Python file, which counts as a whole.
    package
        Folder of the package whose modules count.

    Raises
    ------
    FileNotFoundError
        If a file does not exist, or a private module that the script imports is not in its folder.
    ValueError
        If an object names no symbol of the package or of a module in the script's folder.
    """
    content = "\n".join(f"{key}\n{content}" for key, content in sorted(_closure(script, objects, package).items()))
    return hashlib.sha256(content.encode()).hexdigest()


def reached(script: Path, *objects: str, package: Path = PACKAGE) -> frozenset[str]:
    """Definitions that `code_hash` covers: "module:symbol", and "module:<import>" for what acts on import."""
    return frozenset(":".join(key) for key, content in _closure(script, objects, package).items() if content)


def _closure(script: Path, objects: tuple[str, ...], package: Path) -> dict[Key, str]:
    script, package = script.absolute(), package.absolute()
    named = sorted({each for each in objects if each.endswith(".py")})
    files = {Path(each).name + number * "'": Path(each).absolute() for number, each in enumerate(named)}
    for path in (script, *files.values()):
        if not path.is_file():
            raise FileNotFoundError(f"{path}: there is no such file; give the path of a Python file")
    walks = (*os.walk(package), *os.walk(script.parent))
    paths = [os.path.join(root, name) for root, _, names in walks for name in names if name.endswith(".py")]
    stats = {path: os.stat(path) for path in [*map(str, files.values()), *paths]}
    # a change of any file, by time or size, starts a new graph
    state = tuple((path, stat.st_mtime_ns, stat.st_size) for path, stat in stats.items())
    graph = _graph(package, script.parent, tuple(files.items()), state)
    todo, found = [(name, OWN) for name in (script.stem, *files)], dict[Key, str]()
    for module, _, symbol in (each.partition(":") for each in objects if not each.endswith(".py")):
        todo.extend(keys := graph.lookup(module, (symbol,)))
        if not any(graph.node(*key)[0] for key in keys):
            raise ValueError(f"{module}:{symbol} names no symbol; give module:symbol of {package.name}, or a .py file")
    while todo:
        if (key := todo.pop()) not in found:
            found[key], targets = graph.node(*key)
            todo.extend(targets)
    return found


class _Graph:
    """Graph of definitions, built where it is visited: a node is the content of one, and the others that it reaches."""

    def __init__(self, package: Path, folder: Path, files: tuple[tuple[str, Path], ...], state: object) -> None:
        self._package, self._folder, self._files = package, folder, dict(files)
        self.node, self._module = cache(self._node), cache(self._find)

    def _node(self, name: str, symbol: str) -> tuple[str, set[Key]]:
        if (module := self._module(name)) is None:
            return "", set()
        if symbol in (OWN, WHOLE):
            own = {(name, each) for each in (*module.definitions, ON_IMPORT)}
            return "", own.union(*(self.lookup(name, (each,)) for each in module.imports if symbol == WHOLE))
        targets = {(name, ON_IMPORT)}
        if symbol == ON_IMPORT:
            targets = {(each, WHOLE) for each, _ in module.imports.get("*", ())}
            targets.add((name.rpartition(".")[0] or name, ON_IMPORT))
        texts, references = module.described(symbol)
        content = [*texts]
        for names, imports in references:
            ends = set() if imports else self.lookup(name, names)
            ends.update(*(self._follow(each, (*inside, *names[1:])) for each, inside in imports))
            targets |= ends
            # where a name leads is content too: two imports may swap their names
            if leads_to := sorted(end for end in ends if end[1] != ON_IMPORT):
                content.append(f"{'.'.join(names)} {leads_to}")
        return "\n".join(content), targets

    def lookup(self, name: str, names: tuple[str, ...], trail: frozenset[Key] = frozenset()) -> set[Key]:
        """Definitions behind a name of a module and its attributes; none for a name that the module does not have."""
        if (module := self._module(name)) is None:
            return {(name, names[0])}
        key, rest = (name, names[0]), names[1:]
        found = {key} if names[0] in module.definitions else set()
        # on the trail already: `from . import sky` in an __init__, where sky is the submodule
        for each, inside in module.imports.get(names[0], ()) if key not in trail else ():
            found |= self._follow(each, (*inside, *rest), trail | {key})
        if not found and self._module(submodule := ".".join(key)):
            found = self._follow(submodule, rest, trail)
        if not found:
            found = {(each, WHOLE) for each, _ in module.imports.get("*", ())}
        return found | {(name, ON_IMPORT)} if found else found

    def _follow(self, name: str, names: tuple[str, ...], trail: frozenset[Key] = frozenset()) -> set[Key]:
        """Definitions behind attributes of a module; all of the module where it is used in another way."""
        return (self.lookup(name, names, trail) if names else None) or {(name, WHOLE)}

    def _find(self, name: str) -> "_Module | None":
        """The module of a name; None for libraries."""
        parts = name.split(".")
        base = (self._package.parent if parts[0] == self._package.name else self._folder).joinpath(*parts)
        for path in (self._files.get(name, base / "__init__.py"), Path(f"{base}.py")):
            if path.is_file():
                return _parsed(name, path, path.stat().st_mtime_ns, path.stat().st_size)
        if parts == [name] and name.startswith("_") and name not in sys.stdlib_module_names:
            raise FileNotFoundError(f"no module {name} in {self._folder}, from where it is imported; add it there")
        return None


class _Module:
    """Statements of a module: those that define each name, and those that act on import."""

    def __init__(self, name: str, path: Path, time: int, size: int) -> None:
        self.described = cache(self._described)
        self.definitions, self.imports = dict[str, list[ast.stmt]](), Scope()
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        body = _normalised(ast.parse(path.read_bytes(), str(path)), package).body
        self.acts = [statement for statement in body if _acts(statement)]
        for statement in body:
            for bound, imports in _bindings([statement]).items():
                self.imports.setdefault(bound, []).extend(imports)
                if bound != "*" and not isinstance(statement, ast.Import | ast.ImportFrom):
                    self.definitions.setdefault(bound, []).append(statement)
            roots = [getattr(getattr(d, "func", d), "value", None) for d in getattr(statement, "decorator_list", ())]
            for root in (each.id for each in roots if isinstance(each, ast.Name)):  # @f.register, @table.register(x)
                if root in self.definitions:
                    self.definitions[root].append(statement)
                elif any(each.split(".")[0] == name.split(".")[0] for each, _ in self.imports.get(root, ())):
                    self.acts.append(statement)

    def _described(self, symbol: str) -> tuple[list[str], list[Reference]]:
        """Text and references of a definition; of what acts on import for a name that is none."""
        texts, references = [], set[Reference]()
        for statement in self.definitions.get(symbol, self.acts):
            texts.append(ast.dump(statement, annotate_fields=False))
            _add_references(references, statement)
        return texts, sorted(references)


_graph, _parsed = lru_cache(maxsize=8)(_Graph), cache(_Module)


def _normalised(tree: ast.Module, package: str) -> ast.Module:
    """The tree without docstrings and imports for type checkers, with absolute imports."""
    for node in ast.walk(tree):
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING")):
                node.body = []
            case ast.ImportFrom() if node.level:
                parts = package.split(".")[: len(package.split(".")) + 1 - node.level]
                node.module, node.level = ".".join([*parts, *filter(None, [node.module])]), 0
        if isinstance(body := getattr(node, "body", None), list):
            body[:] = [s for s in body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
    return tree


def _acts(statement: ast.AST) -> bool:
    """Whether a statement does more on import than bind names."""
    match statement:
        case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
            targets = [n for n in ast.walk(statement) if isinstance(n, ast.Attribute | ast.Subscript)]
            return any(isinstance(target.ctx, ast.Store) for target in targets)
        case ast.If() | ast.Try() | ast.TryStar() | ast.ExceptHandler():
            inner = [n for n in ast.iter_child_nodes(statement) if isinstance(n, ast.stmt | ast.ExceptHandler)]
            return any(map(_acts, inner)) or bool(isinstance(statement, ast.If) and inner and not _bindings(inner))
    binds = ast.Import | ast.ImportFrom | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    return not isinstance(statement, binds | ast.Pass | ast.Raise)


def _bindings(nodes: Iterable[ast.AST]) -> Scope:
    """Names that nodes bind in their scope, and the imports that bind them."""
    found, elsewhere, todo = Scope(), set[str](), [*nodes]
    while todo:
        bound: list[tuple[str, list[Import]]] = []
        match todo.pop():
            case ast.ImportFrom(module=module, names=names):
                bound = [(each.asname or each.name, [(str(module), (each.name,))]) for each in names]
            case ast.Import(names=names):
                modules = [(each.name if each.asname else each.name.split(".")[0], each.asname) for each in names]
                bound = [(name or module, [(module, ())]) for module, name in modules]
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                bound = [(name, [])]
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                bound = [(name, [])]
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                elsewhere.update(names)
            case ast.Lambda() | ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                pass  # a scope of its own
            case node:
                # of an except, and in a match
                bound = [(name, []) for name in (getattr(node, "name", None), getattr(node, "rest", None)) if name]
                todo.extend(ast.iter_child_nodes(node))
        for name, imports in bound:
            found.setdefault(name, []).extend(imports)
    return {name: imports for name, imports in found.items() if name not in elsewhere}


def _add_references(found: set[Reference], node: ast.AST, scopes: tuple[Scope, ...] = (), fields: bool = False) -> None:
    """Add the names that a node uses, without those that a function around it binds other than by an import."""
    inner, nodes, outside = scopes, [*ast.iter_child_nodes(node)], list[ast.AST | None]()
    names, base = list[str](), node
    match node:
        case ast.Name() | ast.Attribute():
            while isinstance(base, ast.Attribute):
                names, base = [base.attr, *names], base.value
            if isinstance(base, ast.Name):
                imports = next((scope[base.id] for scope in reversed(scopes) if base.id in scope), None)
                if (imports is None or imports) and (names or isinstance(base.ctx, ast.Load)):
                    found.add(((base.id, *names), tuple(imports or ())))
                return
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
            outside = [*getattr(node, "decorator_list", ()), *node.args.defaults, *node.args.kw_defaults]
            nodes = [node.body] if isinstance(node, ast.Lambda) else [*node.body]
            arguments = (n for n in ast.iter_child_nodes(node.args) if isinstance(n, ast.arg))
            inner, fields = (*scopes, {n.arg: [] for n in arguments} | _bindings(nodes)), False
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            outside = [node.generators[0].iter]
            inner = (*scopes, _bindings(each.target for each in node.generators))
        case ast.ClassDef():
            outside, nodes = [*node.decorator_list, *node.bases, *node.keywords], [*node.body]
            # names of a class are not visible in its methods; imports count, to be safe
            inner, fields = (*scopes, {n: imports for n, imports in _bindings(nodes).items() if imports}), True
        case ast.AnnAssign() if not fields:
            nodes = [n for n in nodes if n is not node.annotation]
    for each in filter(None, outside):
        _add_references(found, each, scopes)
    for each in nodes:
        _add_references(found, each, inner, fields)
