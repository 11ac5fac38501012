"""Property lists: how files, groups, datasets and links are made and opened."""

import os

import numpy as np

from . import h5ac, h5fd, h5s, h5t, h5z
from ._nodes import encoded
from ._objects import ObjectID, phil, with_phil  # noqa: F401

CRT_ORDER_TRACKED, CRT_ORDER_INDEXED = 1, 2
DEFAULT = None
_UNLIMITED = 2**64 - 1
_COMPACT, _CONTIGUOUS, _CHUNKED, _VIRTUAL = range(4)


class PropID(ObjectID):
    """A property list or a class of them."""

    def equal(self, other):
        return self == other


class PropClassID(PropID):
    """A class of property lists."""

    def __init__(self, name, made):
        super().__init__()
        self._name = name
        self._made = made

    def __hash__(self):
        return hash(self._name)

    def __eq__(self, other):
        return isinstance(other, PropClassID) and self._name == other._name


def _property(name, *defaults):
    """The pair of methods that set and give a property of one value or several."""
    single = len(defaults) == 1

    def setter(self, *values):
        if len(values) != len(defaults):
            raise TypeError(f"set_{name} takes {len(defaults)} values, not {len(values)}")
        self._values[name] = values[0] if single else values

    def getter(self):
        return self._values.get(name, defaults[0] if single else defaults)

    setter.__name__, getter.__name__ = f"set_{name}", f"get_{name}"
    return setter, getter


def _with_properties(**properties):
    def added(cls):
        for name, defaults in properties.items():
            setter, getter = _property(name, *defaults)
            for method in (setter, getter):
                if method.__name__ not in vars(cls):
                    setattr(cls, method.__name__, method)
        return cls

    return added


class PropInstanceID(PropID):
    """A property list: values by name, those that were not set at their defaults."""

    _class_name = "property list"

    def __init__(self):
        super().__init__()
        self._values = {}

    def copy(self):
        made = type(self)()
        made._values = {name: list(value) if isinstance(value, list) else value for name, value in self._values.items()}
        return made

    __copy__ = copy

    def __deepcopy__(self, memo):
        return self.copy()

    def get_class(self):
        return _classes[type(self)]

    def __eq__(self, other):
        return type(self) is type(other) and self._values == other._values

    def __hash__(self):
        return id(self)


@_with_properties(obj_track_times=(True,), attr_creation_order=(0,))
class PropOCID(PropInstanceID):
    """How objects are made."""

    def set_attr_phase_change(self, max_compact=8, min_dense=6):
        if not 0 <= min_dense <= max_compact < 65536:
            raise ValueError("the limits of compact attributes are ordered and below 65536")
        self._values["attr_phase_change"] = (max_compact, min_dense)

    def get_attr_phase_change(self):
        return self._values.get("attr_phase_change", (8, 6))

    def creation(self):
        """What the engine is told about a new object."""
        return {
            "attribute_order": bool(self.get_attr_creation_order() & CRT_ORDER_TRACKED),
            "track_times": bool(self._values.get("obj_track_times", True)),
        }


class PropCreateID(PropOCID):
    """How something is made."""


@_with_properties(link_creation_order=(0,))
class PropGCID(PropOCID):
    """How groups are made."""

    def creation(self):
        tracked = bool(self.get_link_creation_order() & CRT_ORDER_TRACKED)
        return {**super().creation(), "track_order": tracked}


@_with_properties(userblock=(0,), sizes=(8, 8), link_creation_order=(0,))
class PropFCID(PropOCID):
    """How files are made."""

    def get_version(self):
        return 2, 0, 0, 0

    def set_userblock(self, size):
        if size != 0 and (size < 512 or size & (size - 1)):
            raise ValueError("a user block has 0 bytes or a power of two of at least 512")
        self._values["userblock"] = size

    def set_file_space_strategy(self, strategy, persist=False, threshold=1):
        self._values["file_space_strategy"] = (strategy, bool(persist), threshold)

    def get_file_space_strategy(self):
        return self._values.get("file_space_strategy", (0, False, 1))

    def set_file_space_page_size(self, size):
        if size < 512:
            raise ValueError("a page of a file has at least 512 bytes")
        self._values["file_space_page_size"] = size

    def get_file_space_page_size(self):
        return self._values.get("file_space_page_size", 4096)


@_with_properties(char_encoding=(h5t.CSET_ASCII,), create_intermediate_group=(False,))
class PropLCID(PropInstanceID):
    """How links are made."""


@_with_properties(nlinks=(16,), elink_prefix=(b"",), elink_acc_flags=(0xFFFFFFFF,))
class PropLAID(PropInstanceID):
    """How links are followed."""

    def set_elink_fapl(self, fapl):
        self._values["elink_fapl"] = fapl.copy()

    def get_elink_fapl(self):
        return self._values.get("elink_fapl") or PropFAID()


@_with_properties(copy_object=(0,))
class PropCopyID(PropInstanceID):
    """How objects are copied."""


class PropDXID(PropInstanceID):
    """How elements are moved."""


class PropTCID(PropOCID):
    """How named datatypes are made."""


@_with_properties(chunk_cache=(521, 1 << 20, 0.75), virtual_view=(1,), virtual_printf_gap=(0,))
class PropDAID(PropInstanceID):
    """How datasets are opened."""

    def set_virtual_view(self, view):
        if view not in (0, 1, 2):
            raise ValueError(f"there is no view {view} of virtual datasets")
        self._values["virtual_view"] = view

    def set_virtual_printf_gap(self, gap):
        if not 0 <= gap < _UNLIMITED:
            raise ValueError(f"{gap} is no number of sources")
        self._values["virtual_printf_gap"] = gap

    def set_chunk_cache(self, slots, size, w0):
        default = PropDAID().get_chunk_cache()
        given = (slots, size, w0)
        self._values["chunk_cache"] = tuple(d if g is None or g < 0 else g for g, d in zip(given, default))

    def set_efile_prefix(self, prefix):
        self._values["efile_prefix"] = encoded(prefix)

    def get_efile_prefix(self):
        return self._values.get("efile_prefix", os.environ.get("HDF5_EXTFILE_PREFIX", "").encode())

    def set_virtual_prefix(self, prefix):
        self._values["virtual_prefix"] = encoded(prefix)

    def get_virtual_prefix(self):
        return self._values.get("virtual_prefix", b"")


@_with_properties(
    fclose_degree=(0,),
    alignment=(1, 1),
    sieve_buf_size=(65536,),
    meta_block_size=(2048,),
    libver_bounds=(0, 5),
    page_buffer_size=(0, 0, 0),
)
class PropFAID(PropInstanceID):
    """How files are opened."""

    def set_cache(self, mdc, rdcc, rdcc_nbytes, rdcc_w0):
        self._values["cache"] = (mdc, rdcc, rdcc_nbytes, rdcc_w0)

    def get_cache(self):
        return self._values.get("cache", (0, 8191, 8 << 20, 0.75))

    def set_page_buffer_size(self, buf_size, min_meta_per=0, min_raw_per=0):
        self._values["page_buffer_size"] = (buf_size, min_meta_per, min_raw_per)

    def set_mdc_config(self, config):
        self._values["mdc_config"] = config

    def get_mdc_config(self):
        return self._values.get("mdc_config") or h5ac.CacheConfig()

    def set_file_locking(self, use_file_locking, ignore_when_disabled):
        self._values["file_locking"] = (bool(use_file_locking), bool(ignore_when_disabled))

    def get_file_locking(self):
        return self._values.get("file_locking", (True, True))

    # Drivers

    def get_driver(self):
        return self._values.get("driver", h5fd.SEC2)

    def set_fapl_sec2(self):
        self._values["driver"] = h5fd.SEC2

    def set_fapl_stdio(self):
        self._values["driver"] = h5fd.STDIO

    def set_fapl_log(self, logfile, flags, buf_size):
        self._values["driver"] = h5fd.LOG

    def set_fapl_core(self, block_size=65536, backing_store=True):
        self._values["driver"] = h5fd.CORE
        self._values["core"] = (block_size, bool(backing_store))

    def get_fapl_core(self):
        return self._values.get("core", (65536, True))

    def set_fapl_family(self, memb_size=2147483647, memb_fapl=None):
        self._values["driver"] = h5fd.FAMILY
        self._values["family"] = (memb_size, memb_fapl)

    def get_fapl_family(self):
        return self._values.get("family", (2147483647, None))

    def set_fapl_split(self, meta_ext="-m.h5", meta_plist=None, raw_ext="-r.h5", raw_plist=None):
        self._values["driver"] = h5fd.MULTI
        self._values["split"] = (meta_ext, raw_ext)

    def set_fileobj_driver(self, driver, fileobj):
        self._values["driver"] = driver
        self._values["fileobj"] = fileobj

    def set_driver(self, *args):
        raise NotImplementedError("h5p.PropFAID.set_driver")

    def set_file_image(self, image):
        self._values["image"] = image

    def is_memory(self):
        """Whether the bytes of the file are not in a file of their name."""
        return self.get_driver() in (h5fd.CORE, h5fd.fileobj_driver)

    def opens(self):
        """What opens files for a driver of its own; ``None`` for ordinary files."""
        if self.get_driver() == h5fd.SEC2:
            return None
        from . import _drivers

        return _drivers.openers.get(self.get_driver())


def _numbered(name):
    """Whether a name has ``%b``, the number of a block; any other ``%`` is doubled."""
    rest = name.replace(b"%%", b"")
    if b"%" in rest.replace(b"%b", b""):
        raise RuntimeError(f"the name {name!r} has a % that is neither %b nor %%")
    return b"%b" in rest


def _block_count(space):
    """Elements of one block of an unlimited selection."""
    return int(np.prod([(1 if count is None else count) * (block or 1) for _, _, count, block in space._selection.axes()]))


def mapping(vspace, file, path, src_space):
    """A mapping as property lists keep it: what is selected, from where, and then the shapes of both dataspaces."""
    shapes = src_space._dims or (), (vspace._dims, vspace._max), src_space._max
    return (vspace._selection, file, path, src_space._selection, *shapes)


def _check_mapping(vspace, file, path, src_space):
    """Refuses a mapping that cannot be read."""
    if "points" in (vspace._selection.kind, src_space._selection.kind):
        raise ValueError("the selections of a mapping are boxes, not points")
    numbered = any([_numbered(file), _numbered(path)])
    here, there = (space._selection.unlimited_axis is not None for space in (vspace, src_space))
    if numbered and (there or not here):
        raise ValueError("numbered sources need an unlimited virtual selection and a limited one in the source")
    if here != there and not numbered:
        raise ValueError("the selections of a mapping are both unlimited, or neither")
    if here and there:
        return
    counts = _block_count(vspace) if here else vspace.get_select_npoints(), src_space.get_select_npoints()
    if counts[0] != counts[1]:
        raise ValueError(f"the selections of a mapping have a different number of elements: {counts[0]} and {counts[1]}")


@_with_properties(alloc_time=(0,), fill_time=(2,))
class PropDCID(PropOCID):
    """How datasets are made."""

    def set_layout(self, layout):
        if layout not in range(4):
            raise ValueError(f"there is no layout {layout}")
        self._values["layout"] = layout

    def get_layout(self):
        return self._values.get("layout", _CONTIGUOUS)

    def set_chunk(self, chunksize):
        chunk = tuple(int(n) for n in chunksize)
        if any(n <= 0 for n in chunk):
            raise ValueError(f"All chunk dimensions must be positive, got {chunk}")
        if len(chunk) > 32:
            raise ValueError("a chunk has at most 32 axes")
        if any(n >= 2**32 for n in chunk):
            raise ValueError("All chunk dimensions must be less than 2^32")
        self._values["chunk"] = chunk
        self._values["layout"] = _CHUNKED

    def get_chunk(self):
        if "chunk" not in self._values:
            raise ValueError("the dataset is not stored in chunks")
        return self._values["chunk"]

    # Fill value

    def set_fill_value(self, value):
        """One element of a numpy array."""
        self._values["fill"] = np.array(value).reshape(-1)[:1]

    def get_fill_value(self, value):
        """Puts the fill value into ``value``, an array of one element."""
        fill = self._values.get("fill")
        value[...] = 0 if fill is None else fill.reshape(value.shape)

    def fill_value_defined(self):
        return self._values.get("fill_state", 2 if "fill" in self._values else 1)

    # Filters

    @property
    def _filters(self):
        return self._values.setdefault("filters", [])

    def set_filter(self, filter_code, flags=0, values=None):
        if not 0 <= filter_code <= h5z.FILTER_MAX:
            raise ValueError(f"Invalid filter number {filter_code}")
        values = () if values is None else tuple(int(n) for n in values)
        self._filters.append((filter_code, flags, values, b""))

    def get_nfilters(self):
        return len(self._filters)

    def get_filter(self, filter_idx):
        """Number, flags, parameters and name."""
        try:
            return self._filters[filter_idx]
        except IndexError:
            raise ValueError(f"there is no filter with index {filter_idx}") from None

    def get_filter_by_id(self, filter_code):
        found = next((f for f in self._filters if f[0] == filter_code), None)
        return None if found is None else found[1:]

    def _has_filter(self, filter_code):
        return self.get_filter_by_id(filter_code) is not None

    def remove_filter(self, filter_class):
        self._values["filters"] = [f for f in self._filters if f[0] != filter_class]

    def all_filters_avail(self):
        return all(h5z.filter_avail(f[0]) for f in self._filters)

    def set_deflate(self, level=5):
        self.set_filter(h5z.FILTER_DEFLATE, h5z.FLAG_OPTIONAL, (level,))

    def set_shuffle(self):
        self.set_filter(h5z.FILTER_SHUFFLE, h5z.FLAG_OPTIONAL)

    def set_fletcher32(self):
        self.set_filter(h5z.FILTER_FLETCHER32, h5z.FLAG_MANDATORY)

    def set_szip(self, options, pixels_per_block):
        self.set_filter(h5z.FILTER_SZIP, h5z.FLAG_OPTIONAL, (options, pixels_per_block))

    def set_scaleoffset(self, scale_type, scale_factor):
        self.set_filter(h5z.FILTER_SCALEOFFSET, h5z.FLAG_OPTIONAL, (scale_type, scale_factor))

    # External raw files

    def set_external(self, name, offset, size):
        self._values.setdefault("external", []).append((encoded(name), int(offset), int(size)))

    def get_external_count(self):
        return len(self._values.get("external", ()))

    def get_external(self, idx=0):
        return self._values["external"][idx]

    # Virtual datasets

    def set_virtual(self, vspace, src_file_name, src_dset_name, src_space):
        file, path = encoded(src_file_name), encoded(src_dset_name)
        _check_mapping(vspace, file, path, src_space)
        self._values["layout"] = _VIRTUAL
        self._values.setdefault("virtual", []).append(mapping(vspace, file, path, src_space))

    def _mapping(self, index):
        try:
            return self._values.get("virtual", [])[index]
        except IndexError:
            raise ValueError(f"there is no mapping with index {index}") from None

    def get_virtual_count(self):
        if self.get_layout() != _VIRTUAL:
            raise ValueError("the dataset is not virtual")
        return len(self._values.get("virtual", ()))

    def get_virtual_filename(self, index=0):
        return os.fsdecode(self._mapping(index)[1])

    def get_virtual_dsetname(self, index=0):
        return self._mapping(index)[2].decode("utf-8", "surrogateescape")

    def get_virtual_vspace(self, index=0):
        here, *_, limits, _ = self._mapping(index)
        return h5s.SpaceID(*limits, here)

    def get_virtual_srcspace(self, index=0):
        *_, there, dims, _, maximum = self._mapping(index)
        return h5s.SpaceID(dims, maximum, there)

    def creation(self):
        fill = self._values.get("fill")
        return {
            **super().creation(),
            "layout": self.get_layout(),
            "chunk": self._values.get("chunk"),
            "filters": [(code, bool(flags & 1), list(values)) for code, flags, values, _ in self._filters],
            "alloc_time": self.get_alloc_time(),
            "fill_time": self.get_fill_time(),
            "external": list(self._values.get("external", ())),
            "virtual": self._values.get("virtual", []),
            "fill": fill,
        }


def _class(name, made):
    return PropClassID(name, made)


OBJECT_CREATE = _class("object create", PropOCID)
FILE_CREATE = _class("file create", PropFCID)
FILE_ACCESS = _class("file access", PropFAID)
DATASET_CREATE = _class("dataset create", PropDCID)
DATASET_ACCESS = _class("dataset access", PropDAID)
DATASET_XFER = _class("data transfer", PropDXID)
OBJECT_COPY = _class("object copy", PropCopyID)
LINK_CREATE = _class("link create", PropLCID)
LINK_ACCESS = _class("link access", PropLAID)
GROUP_CREATE = _class("group create", PropGCID)
NO_CLASS = _class("no class", None)

_classes = {
    made._made: made
    for made in (
        OBJECT_CREATE, FILE_CREATE, FILE_ACCESS, DATASET_CREATE, DATASET_ACCESS, DATASET_XFER,
        OBJECT_COPY, LINK_CREATE, LINK_ACCESS, GROUP_CREATE,
    )
}  # fmt: skip


def create(cls):
    """A property list of this class, everything at its default."""
    if cls._made is None:
        raise ValueError("a property list has a class")
    return cls._made()


