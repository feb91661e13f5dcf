"""Imports without what they drag along, for a process that must answer soon after its start."""

import contextlib
import sys
from collections.abc import Iterator
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType


class _Empty(ModuleType):
    """A module in which any name can be looked up, and none does anything."""

    def __getattr__(self, name: str) -> ModuleType:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Empty(name)


class _Finder(MetaPathFinder, Loader):
    def __init__(self, packages: tuple[str, ...]) -> None:
        self.packages = packages

    def find_spec(self, name, path=None, target=None) -> ModuleSpec | None:
        if any(name == p or name.startswith(p + ".") for p in self.packages):
            return ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Empty(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        pass


@contextlib.contextmanager
def left_out(*packages: str) -> Iterator[None]:
    """While this lasts, importing one of the packages gives an empty module.

    For imports of other people's modules that name a package at their top and use it only in
    functions that are never called here. What was imported meanwhile keeps the empty module;
    afterwards the packages import as usual. Meant for a process of one's own: elsewhere in it,
    somebody may need those functions.

    Args:
        packages: full names; those that are loaded already stay as they are.
    """
    finder = _Finder(packages)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in [n for n, module in sys.modules.items() if isinstance(module, _Empty)]:
            del sys.modules[name]
            parent, _, child = name.rpartition(".")
            if parent in sys.modules:
                delattr(sys.modules[parent], child)


class _Disarmer(MetaPathFinder):
    def __init__(self, module: str, functions: tuple[str, ...]) -> None:
        self.module, self.functions = module, functions

    def find_spec(self, name, path=None, target=None) -> ModuleSpec | None:
        if name != self.module:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                for function in self.functions:
                    if hasattr(module, function):
                        setattr(module, function, lambda *args, **options: None)

            spec.loader.exec_module = exec_module
        return spec


@contextlib.contextmanager
def disarmed(module: str, *functions: str) -> Iterator[None]:
    """A module that is first imported while this lasts gets functions that do nothing.

    For work that somebody's module does when it is imported, and that is not needed here.

    Args:
        module: full name.
        functions: names of its functions; those it has not are left.
    """
    finder = _Disarmer(module, functions)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
