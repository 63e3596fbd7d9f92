"""Hash of the code that a script reaches, so that editing code re-runs exactly the rules that depend on it.

A statement reaches the top-level definitions whose names it uses, through imports and re-exports, in lenscast and in
the folder of the script. Nothing is imported or executed. Each module on the way adds the statements that act when it
is imported, for example a call that registers a function. Annotations of arguments and local variables are not
followed: the place that makes a value brings its code. Annotations of class fields are: pydantic acts on them.
"""

import hashlib
import json
import os
import sys
import tempfile
from functools import cache, lru_cache
from pathlib import Path

from lenscast.code_syntax import Module

PACKAGE = Path(__file__).parent
ON_IMPORT, OWN, WHOLE = "<import>", "<own>", "*"  # in place of a symbol: what acts on import, all but imports, all
Key = tuple[str, str]  # module and symbol
State = tuple[tuple[str, int, int], ...]  # path, time and size of each file
KEPT = 500  # hashes in a file of them, the newest


def code_hash(script: Path, *objects: str, package: Path = PACKAGE, store: Path | None = None) -> str:
    """Hash of the code that a script and some objects reach, without comments, docstrings and layout.

    Parameters
    ----------
    script
        Python file. Modules in its folder count as those of the package do.
    objects
        Objects that the script loads by name: "module:symbol", or the path of a Python file, which counts as a whole.
    package
        Folder of the package whose modules count.
    store
        File that keeps hashes between processes, for as long as no file of the code has another time or size.

    Raises
    ------
    FileNotFoundError
        If a file does not exist, or a private module that the script imports is not in its folder.
    ValueError
        If an object names no symbol of the package or of a module in the script's folder.
    """
    state = _state(script.absolute(), objects, package.absolute())
    of_state = repr((sys.version_info, str(script.absolute()), objects, state))
    name, kept = hashlib.sha256(of_state.encode()).hexdigest(), _kept(store)
    if name not in kept:
        content = "\n".join(f"{key}\n{content}" for key, content in sorted(_closure(script, objects, package).items()))
        kept[name] = hashlib.sha256(content.encode()).hexdigest()
        _keep(kept, store)
    return kept[name]


def reached(script: Path, *objects: str, package: Path = PACKAGE) -> frozenset[str]:
    """Definitions that `code_hash` covers: "module:symbol", and "module:<import>" for what acts on import."""
    return frozenset(":".join(key) for key, content in _closure(script, objects, package).items() if content)


def _kept(store: Path | None) -> dict[str, str]:
    """Hashes that a file keeps; none of a file that is not there or is damaged."""
    try:
        found = json.loads(store.read_bytes()) if store else {}
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _keep(hashes: dict[str, str], store: Path | None) -> None:
    """Write the newest hashes, whole or not at all; a folder that cannot be written costs time alone."""
    if not store:
        return
    try:
        store.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=store.parent, delete=False) as file:
            json.dump(dict([*hashes.items()][-KEPT:]), file)
        os.replace(file.name, store)
    except OSError:
        return


def _named_files(objects: tuple[str, ...]) -> dict[str, Path]:
    """Python files among the objects, by a name that no module has."""
    named = sorted({each for each in objects if each.endswith(".py")})
    return {Path(each).name + number * "'": Path(each).absolute() for number, each in enumerate(named)}


def _state(script: Path, objects: tuple[str, ...], package: Path) -> State:
    """All files that code may be in, which a change of time or size makes others."""
    files = _named_files(objects)
    for path in (script, *files.values()):
        if not path.is_file():
            raise FileNotFoundError(f"{path}: there is no such file; give the path of a Python file")
    walks = (*os.walk(package), *os.walk(script.parent))
    paths = [os.path.join(root, name) for root, _, names in walks for name in names if name.endswith(".py")]
    stats = {path: os.stat(path) for path in [*map(str, files.values()), *paths]}
    return tuple((path, stat.st_mtime_ns, stat.st_size) for path, stat in stats.items())


def _closure(script: Path, objects: tuple[str, ...], package: Path) -> dict[Key, str]:
    script, package = script.absolute(), package.absolute()
    files, state = _named_files(objects), _state(script, objects, package)
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

    def _find(self, name: str) -> Module | None:
        """The module of a name; None for libraries."""
        parts = name.split(".")
        base = (self._package.parent if parts[0] == self._package.name else self._folder).joinpath(*parts)
        for path in (self._files.get(name, base / "__init__.py"), Path(f"{base}.py")):
            if path.is_file():
                return _parsed(name, path, path.stat().st_mtime_ns, path.stat().st_size)
        if parts == [name] and name.startswith("_") and name not in sys.stdlib_module_names:
            raise FileNotFoundError(f"no module {name} in {self._folder}, from where it is imported; add it there")
        return None


@cache
def _parsed(name: str, path: Path, time: int, size: int) -> Module:
    """A module; time and size of its file say whether it is the one that was parsed before."""
    return Module(name, path)


_graph = lru_cache(maxsize=8)(_Graph)
