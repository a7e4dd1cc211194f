"""The source of a package as one module, so that a test can plant a bug anywhere in it and try its laws."""

import inspect
import pkgutil
import re
from importlib import import_module
from types import ModuleType


def source_of(package):
    """The source of all modules of a package, one after the other, without the lines that join them."""
    names = [each.name for each in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")]
    inner = re.compile(rf"^from {re.escape(package.__name__)}\S* import (\([^)]*\)|.*)\n", re.MULTILINE)
    sources = [inspect.getsource(import_module(name)) for name in names]
    sources.sort(key=lambda source: bool(inner.search(source)))  # first those on which others rest
    return inner.sub("", "\n\n".join(sources))


def module_of(source, name):
    """A module made of this source."""
    module = ModuleType(name)
    exec(compile(source, name, "exec"), module.__dict__)
    return module
