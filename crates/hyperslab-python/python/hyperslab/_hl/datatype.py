"""Named datatypes."""

from .. import h5t
from .base import HLObject


class Datatype(HLObject):
    """A datatype that has a name of its own in a file, or one that is made here to be stored."""

    def __init__(self, bind):
        if not isinstance(bind, h5t.TypeID):
            raise ValueError(f"{bind!r} is not a datatype")
        super().__init__(bind)

    @property
    def dtype(self):
        """The numpy dtype."""
        return self.id.dtype

    def __repr__(self):
        if not self.id:
            return "<Closed HDF5 named type>"
        if self.id.committed() and self.name is not None:
            return f'<HDF5 named type "{self.name.rsplit("/", 1)[-1]}" (dtype {self.dtype.str})>'
        return f"<HDF5 named type ({self.dtype.str})>"
