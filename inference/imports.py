"""What other packages import, or do meanwhile, and this program never uses: it is left out, or done when somebody uses it."""

import contextlib
import importlib
import inspect
import sys
import types
from collections.abc import Iterator, Mapping


class _Later(types.ModuleType):
    """Stands for a module until something is asked of it."""

    def __getattr__(self, name: str):
        return getattr(importlib.import_module(self.__name__), name)


@contextlib.contextmanager
def imported_later(*names: str) -> Iterator[None]:
    """Let `import NAME` bind a stand-in meanwhile, which imports the module when it is first used.

    Args:
        names: of modules; for a module of a package also the package, before it. What is imported already stays as it is.
    """
    later = {name: _Later(name) for name in names if name not in sys.modules}
    for name, module in later.items():
        package, _, attribute = name.rpartition(".")
        if package in later:
            setattr(later[package], attribute, module)
    with _in_place(later):
        yield


@contextlib.contextmanager
def not_installed(*names: str) -> Iterator[None]:
    """Let `import NAME` fail meanwhile, as where the package is not installed; it must know how to do without."""
    with _in_place({name: None for name in names if name not in sys.modules}):
        yield


@contextlib.contextmanager
def without_sources(name: str) -> Iterator[None]:
    """Let a module find the source of no class meanwhile, as if all had been typed in; it must know how to do without.

    Args:
        name: of the module, which asks `inspect.getfile`.
    """
    getfile = inspect.getfile

    def find(value) -> str:
        if sys._getframe(1).f_globals.get("__name__") == name:
            raise OSError("source code not available")
        return getfile(value)

    inspect.getfile = find  # type: ignore[assignment]
    try:
        yield
    finally:
        inspect.getfile = getfile


@contextlib.contextmanager
def _in_place(modules: Mapping[str, types.ModuleType | None]) -> Iterator[None]:
    sys.modules.update(modules)  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in modules:
            del sys.modules[name]
