"""This package under the name of h5py, for programs that import that."""

import importlib
import pkgutil
import sys


def install_as_h5py():
    """From now on ``import h5py`` gives this package, in all of the program.

    Call it before anything imports h5py::

        import hyperslab
        hyperslab.install_as_h5py()
        import xarray, h5netcdf

    The package and its classes say that they are h5py's, which some programs ask them.
    """
    package = sys.modules[__package__]
    modules = {__package__: package}
    for found in pkgutil.walk_packages(package.__path__, __package__ + "."):
        modules[found.name] = importlib.import_module(found.name)
    for name, module in modules.items():
        alias = "h5py" + name[len(__package__) :]
        for value in vars(module).values():
            if isinstance(value, type) and value.__module__ == name and not name.endswith("._native"):
                value.__module__ = alias
        sys.modules[alias] = module
    package.__name__ = "h5py"
