"""Every mutant, a list per package or room: faults of the kinds that lose work, bend a figure or open a door."""

from importlib import import_module
from pkgutil import iter_modules

from tests.mutants.mutant import Mutant


def all_mutants() -> list[Mutant]:
    modules = sorted(module.name for module in iter_modules(__path__, f"{__name__}."))
    return [mutant for module in modules for mutant in import_module(module).MUTANTS]
