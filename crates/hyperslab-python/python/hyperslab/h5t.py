"""Datatypes: what an element is, and which numpy dtype it has."""

import numpy as np

from . import _describe, _native
from ._describe import BIG, LITTLE, QUADRUPLE, floating, integer
from ._hints import (  # noqa: F401
    check_complex_dtype,
    check_dtype,
    check_enum_dtype,
    check_opaque_dtype,
    check_ref_dtype,
    check_string_dtype,
    check_vlen_dtype,
    complex_compat_dtype,
    enum_dtype,
    opaque_dtype,
    special_dtype,
    string_dtype,
    string_info,
    vlen_dtype,
)
from ._objects import ObjectID, phil, with_phil  # noqa: F401
from .h5 import get_config

cfg = get_config()

NO_CLASS, INTEGER, FLOAT, TIME, STRING, BITFIELD, OPAQUE, COMPOUND, REFERENCE, ENUM, VLEN, ARRAY, COMPLEX = range(-1, 12)
ORDER_LE, ORDER_BE, ORDER_VAX, ORDER_NONE, ORDER_NATIVE = 0, 1, 2, 4, 0
SGN_NONE, SGN_2 = 0, 1
NORM_IMPLIED, NORM_MSBSET, NORM_NONE = 0, 1, 2
CSET_ASCII, CSET_UTF8 = 0, 1
STR_NULLTERM, STR_NULLPAD, STR_SPACEPAD = 0, 1, 2
PAD_ZERO, PAD_ONE, PAD_BACKGROUND = 0, 1, 2
BKG_NO, BKG_TEMP, BKG_YES = 0, 1, 2
DIR_DEFAULT, DIR_ASCEND, DIR_DESCEND = 0, 1, 2
VARIABLE = 2**64 - 1


class TypeID(ObjectID):
    """A datatype: of a dataset or attribute, with a name of its own in a file, or made here."""

    _class = NO_CLASS

    def __init__(self, description, native=None, node=None):
        super().__init__()
        self._of = description
        self._made = native
        self._node = node

    @property
    def _native(self):
        """The engine's datatype."""
        if self._made is None:
            self._made = _native.Datatype(self._of)
        return self._made

    def _change(self, *description):
        if self.locked:
            raise TypeError("the datatype is locked and cannot be changed")
        self._of, self._made = description, None

    def _with(self, **places):
        of = list(self._of)
        for place, value in places.items():
            of[int(place[1:])] = value
        self._change(*of)

    def _key(self):
        if self._node is not None:
            return self._node._key()
        return ("datatype", self._of)

    def __eq__(self, other):
        return self.equal(other) if isinstance(other, TypeID) else NotImplemented

    def __hash__(self):
        return hash(self._key())

    @property
    def valid(self):
        return not self._closed and (self._node is None or self._node.valid)

    @property
    def dtype(self):
        """The numpy dtype."""
        return _describe.dtype(self._of)

    py_dtype = dtype

    def get_class(self):
        return self._class

    def get_size(self):
        return _describe.size(self._of)

    def set_size(self, size):
        raise TypeError(f"the size of a {type(self).__name__} cannot be set")

    def get_super(self):
        raise TypeError("the datatype has no base")

    def get_create_plist(self):
        from . import h5p

        plist = h5p.create(h5p.OBJECT_CREATE)
        if self._node is not None:
            plist._values.update(self._node._created_with())
        return plist

    def copy(self):
        return typewrap(self._of)

    def equal(self, other):
        return self._of == other._of

    def detect_class(self, code):
        return self._class == code or any(TypeID.detect_class(typewrap(part), code) for part in _parts(self._of))

    def committed(self):
        return self._node is not None

    def lock(self):
        self.locked = True

    def commit(self, group, name, lcpl=None, tcpl=None):
        """Gives the datatype a name in a file."""
        self._node = group._commit(self, name, lcpl)
        self.locked = True

    def encode(self):
        return repr(self._of).encode()

    def __reduce__(self):
        return typewrap, (self._of,)

    def __repr__(self):
        return f"<{type(self).__name__} {self._of!r}>"


def _parts(of):
    if of[0] == "compound":
        return [member for _, _, member in of[2]]
    return [of[1]] if of[0] in ("array", "vlen", "enum", "complex") else []


class TypeAtomicID(TypeID):
    """A number, in some order of bytes."""

    def get_order(self):
        return self._of[2]

    def set_order(self, order):
        self._with(_2=order)

    def get_pad(self):
        return PAD_ZERO, PAD_ZERO

    def set_pad(self, low, high):
        if (low, high) != (PAD_ZERO, PAD_ZERO):
            raise NotImplementedError("h5t: set_pad with anything but zeroes")


class TypeIntegerID(TypeAtomicID):
    """A fixed-point number."""

    _class = INTEGER

    def get_sign(self):
        return SGN_2 if self._of[3] else SGN_NONE

    def set_sign(self, sign):
        self._with(_3=sign == SGN_2)

    def get_precision(self):
        return self._of[4]

    def set_precision(self, precision):
        self._with(_4=precision)

    def get_offset(self):
        return self._of[5]

    def set_offset(self, offset):
        self._with(_5=offset)

    def set_size(self, size):
        self._with(_1=size, _4=size * 8, _5=0)


class TypeBitfieldID(TypeAtomicID):
    """Bits that are no number."""

    _class = BITFIELD

    def get_sign(self):
        return SGN_NONE

    def get_precision(self):
        return self._of[3]

    def get_offset(self):
        return self._of[4]

    def set_size(self, size):
        self._with(_1=size, _3=size * 8, _4=0)


class TypeTimeID(TypeAtomicID):
    """A point in time."""

    _class = TIME


class TypeFloatID(TypeAtomicID):
    """A floating-point number of any layout."""

    _class = FLOAT

    def _field(self, **places):
        fields = list(self._of[3])
        for place, value in places.items():
            fields[int(place[1:])] = value
        self._with(_3=tuple(fields))

    def get_precision(self):
        return self._of[3][1]

    def set_precision(self, precision):
        self._field(_1=precision)

    def get_offset(self):
        return self._of[3][0]

    def set_offset(self, offset):
        self._field(_0=offset)

    def get_fields(self):
        """Positions: sign, exponent, bits of the exponent, mantissa, bits of the mantissa."""
        _, _, sign, exponent, exponent_size, _, mantissa, mantissa_size, _ = self._of[3]
        return sign, exponent, exponent_size, mantissa, mantissa_size

    def set_fields(self, sign, exponent, exponent_size, mantissa, mantissa_size):
        self._field(_2=sign, _3=exponent, _4=exponent_size, _6=mantissa, _7=mantissa_size)

    def get_ebias(self):
        return self._of[3][5]

    def set_ebias(self, bias):
        self._field(_5=bias)

    def get_norm(self):
        return self._of[3][8]

    def set_norm(self, norm):
        self._field(_8=norm)

    def get_inpad(self):
        return PAD_ZERO

    def set_size(self, size):
        self._with(_1=size)


class TypeComplexID(TypeAtomicID):
    """A complex number: two floating-point numbers."""

    _class = COMPLEX

    def get_order(self):
        return self._of[1][2]

    def get_precision(self):
        return self._of[1][3][1]

    def get_super(self):
        return typewrap(self._of[1])


class TypeStringID(TypeID):
    """Characters, in a fixed number of bytes or of any length."""

    _class = STRING

    def is_variable_str(self):
        return self._of[0] == "vlen_string"

    def get_cset(self):
        return self._of[-1]

    def set_cset(self, characters):
        self._change(*self._of[:-1], characters)

    def get_strpad(self):
        return self._of[-2]

    def set_strpad(self, padding):
        self._change(*self._of[:-2], padding, self._of[-1])

    def set_size(self, size):
        _, padding, characters = self._of[0], self._of[-2], self._of[-1]
        if size == VARIABLE:
            self._change("vlen_string", padding, characters)
        else:
            self._change("string", size, padding, characters)


class TypeOpaqueID(TypeID):
    """Bytes of which only their owner knows the meaning."""

    _class = OPAQUE

    def get_tag(self):
        return self._of[2]

    def set_tag(self, tag):
        self._with(_2=tag)

    def set_size(self, size):
        self._with(_1=size)


class TypeReferenceID(TypeID):
    """A pointer to an object or a region of a dataset."""

    _class = REFERENCE


class TypeCompositeID(TypeID):
    """A datatype with named members."""

    def _names(self):
        raise NotImplementedError

    def get_nmembers(self):
        return len(self._names())

    def get_member_name(self, member):
        try:
            return self._names()[member]
        except IndexError:
            raise TypeError(f"there is no member {member}") from None

    def get_member_index(self, name):
        try:
            return self._names().index(name)
        except ValueError:
            raise TypeError(f"there is no member {name!r}") from None


class TypeCompoundID(TypeCompositeID):
    """Named members at offsets."""

    _class = COMPOUND

    def _names(self):
        return [name for name, _, _ in _describe.members(self._of)]

    def get_member_offset(self, member):
        return _describe.members(self._of)[member][1]

    def get_member_type(self, member):
        if member < 0:
            raise ValueError("the number of a member is not negative")
        return typewrap(_describe.members(self._of)[member][2])

    def get_member_class(self, member):
        return self.get_member_type(member).get_class()

    def insert(self, name, offset, field):
        self._with(_2=(*self._of[2], (name, offset, field._of)))

    def set_size(self, size):
        self._with(_1=size)

    def pack(self):
        packed, end = [], 0
        for name, _, member in self._of[2]:
            packed.append((name, end, member))
            end += _describe.file_size(member)
        self._change("compound", end, tuple(packed))


class TypeEnumID(TypeCompositeID):
    """Names for some values of an integer."""

    _class = ENUM

    def _names(self):
        return [name for name, _ in self._of[2]]

    def get_member_value(self, member):
        return self._of[2][member][1]

    def get_super(self):
        return typewrap(self._of[1])

    def enum_insert(self, name, value):
        self._with(_2=(*self._of[2], (name, int(value))))

    def enum_nameof(self, value):
        for name, known in self._of[2]:
            if known == value:
                return name
        raise ValueError(f"no name has the value {value}")

    def enum_valueof(self, name):
        try:
            return dict(self._of[2])[name]
        except KeyError:
            raise ValueError(f"there is no name {name!r}") from None


class TypeVlenID(TypeID):
    """Sequences of any length."""

    _class = VLEN

    def get_super(self):
        return typewrap(self._of[1])


class TypeArrayID(TypeID):
    """A fixed number of elements of another datatype."""

    _class = ARRAY

    def get_super(self):
        return typewrap(self._of[1])

    def get_array_ndims(self):
        return len(self._of[2])

    def get_array_dims(self):
        return tuple(self._of[2])


_CLASSES = {
    "integer": TypeIntegerID,
    "float": TypeFloatID,
    "time": TypeTimeID,
    "string": TypeStringID,
    "vlen_string": TypeStringID,
    "bitfield": TypeBitfieldID,
    "opaque": TypeOpaqueID,
    "compound": TypeCompoundID,
    "reference": TypeReferenceID,
    "enum": TypeEnumID,
    "vlen": TypeVlenID,
    "array": TypeArrayID,
    "complex": TypeComplexID,
}


def typewrap(description, native=None, node=None):
    """The identifier of a datatype, by its description."""
    return _CLASSES[description[0]](description, native, node)


def of_native(native, node=None):
    """The identifier of a datatype of the engine."""
    return typewrap(native.describe(), native, node)


def py_create(dtype_in, logical=False, aligned=False):
    """The HDF5 datatype for a numpy dtype."""
    return typewrap(_describe.describe(dtype_in, logical=bool(logical)))


def create(classtype, size):
    """A new compound, opaque, enumeration or string datatype of ``size`` bytes."""
    if classtype == COMPOUND:
        return typewrap(("compound", size, ()))
    if classtype == OPAQUE:
        return typewrap(("opaque", size, b""))
    if classtype == ENUM:
        return typewrap(("enum", integer(size, True), ()))
    if classtype == STRING:
        return typewrap(("vlen_string", 0, 0) if size == VARIABLE else ("string", size, 0, 0))
    raise ValueError(f"datatypes of class {classtype} are not made from nothing")


def vlen_create(base):
    return typewrap(("vlen", base._of))


def array_create(base, dimensions):
    return typewrap(("array", base._of, tuple(int(n) for n in dimensions)))


def enum_create(base):
    return typewrap(("enum", base._of, ()))


def open(group, name, tapl=None):
    """The named datatype at a path."""
    from . import h5o

    found = h5o.open(group, name)
    if not isinstance(found, TypeID):
        raise TypeError(f"{name!r} is not a named datatype")
    return found


def decode(buf):
    from ast import literal_eval

    return typewrap(literal_eval(buf.decode()))


def find(src, dst):
    """Whether elements of one datatype can become elements of another: like for like only."""
    return (BKG_NO,) if src.equal(dst) else None


def convert(src, dst, n, buf, bkg=None, dxpl=None):
    raise NotImplementedError("h5t.convert")


def _constant(description):
    made = typewrap(description)
    made.locked = True
    return made


for _bits in (8, 16, 32, 64):
    for _letter, _signed in (("I", True), ("U", False)):
        for _suffix, _order in (("LE", LITTLE), ("BE", BIG)):
            globals()[f"STD_{_letter}{_bits}{_suffix}"] = _constant(integer(_bits // 8, _signed, _order))
        globals()[f"NATIVE_{'INT' if _signed else 'UINT'}{_bits}"] = _constant(integer(_bits // 8, _signed))
    for _suffix, _order in (("LE", LITTLE), ("BE", BIG)):
        globals()[f"STD_B{_bits}{_suffix}"] = _constant(("bitfield", _bits // 8, _order, _bits, 0))
    globals()[f"NATIVE_B{_bits}"] = _constant(("bitfield", _bits // 8, LITTLE, _bits, 0))
for _bits in (16, 32, 64):
    for _suffix, _order in (("LE", LITTLE), ("BE", BIG)):
        globals()[f"IEEE_F{_bits}{_suffix}"] = _constant(floating(_bits // 8, _order))
        globals()[f"COMPLEX_IEEE_F{_bits}{_suffix}"] = _constant(("complex", floating(_bits // 8, _order)))
for _suffix, _order in (("LE", LITTLE), ("BE", BIG)):
    globals()[f"IEEE_F128{_suffix}"] = _constant(("float", 16, _order, QUADRUPLE))
    globals()[f"LDOUBLE_{_suffix}"] = _constant(floating(16, _order))
    for _bits in (32, 64):
        globals()[f"UNIX_D{_bits}{_suffix}"] = _constant(("time", _bits // 8, _order, _bits))

NATIVE_FLOAT16 = _constant(floating(2))
NATIVE_FLOAT = _constant(floating(4))
NATIVE_DOUBLE = _constant(floating(8))
NATIVE_LDOUBLE = _constant(floating(np.dtype(np.longdouble).itemsize))
NATIVE_FLOAT_COMPLEX = _constant(("complex", floating(4)))
NATIVE_DOUBLE_COMPLEX = _constant(("complex", floating(8)))
NATIVE_LDOUBLE_COMPLEX = _constant(("complex", floating(np.dtype(np.longdouble).itemsize)))
STD_REF_OBJ = _constant(("reference", 8, "object"))
STD_REF_DSETREG = _constant(("reference", 12, "region"))
C_S1 = _constant(("string", 1, STR_NULLTERM, CSET_ASCII))
FORTRAN_S1 = _constant(("string", 1, STR_SPACEPAD, CSET_ASCII))
PYTHON_OBJECT = _constant(("opaque", 8, _describe.OBJECT_TAG))
NUMPY_VLEN_STRING = _constant(("vlen_string", 0, 1))


def __getattr__(name):
    # References are known only once h5r is there, which itself needs datatypes.
    from .h5r import Reference, RegionReference

    if name == "ref_dtype":
        return special_dtype(ref=Reference)
    if name == "regionref_dtype":
        return special_dtype(ref=RegionReference)
    raise AttributeError(f"h5t has no {name!r}")
