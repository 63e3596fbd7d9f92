"""Definitions of a Python module, what acts when it is imported, and the names that each statement uses.

Modules are parsed, never imported. Docstrings, comments and layout do not count.
"""

import ast
from collections.abc import Iterable
from functools import cache
from pathlib import Path

Import = tuple[str, tuple[str, ...]]  # module, and the name in it, if any
Reference = tuple[tuple[str, ...], tuple[Import, ...]]  # name with attributes, and imports in a function that bind it
Scope = dict[str, list[Import]]  # names that are bound, and the imports that bind them


class Module:
    """Statements of a module: those that define each name, and those that act on import.

    Parameters
    ----------
    name
        Name of the module, from which relative imports start.
    path
        Its file.
    """

    def __init__(self, name: str, path: Path) -> None:
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
        """Texts and references of a definition; of what acts on import for a name that is none."""
        texts, references = [], set[Reference]()
        for statement in self.definitions.get(symbol, self.acts):
            texts.append(ast.dump(statement, annotate_fields=False))
            _add_references(references, statement)
        return texts, sorted(references)


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
