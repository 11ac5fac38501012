"""Groups, and the links in them."""

import posixpath

import numpy as np

from .. import h5, h5d, h5f, h5g, h5i, h5l, h5o, h5p, h5r, h5t
from . import base
from .base import HLObject, MutableMappingHDF5
from .create import make_new_dset, opened_dset
from .dataset import Dataset
from .datatype import Datatype
from .fileprops import TRACKED


class HardLink:
    """A name for an object of its own file."""


class SoftLink:
    """A name for whatever is at a path of the same file; there may be nothing."""

    def __init__(self, path):
        self._path = str(path)

    @property
    def path(self):
        """The path."""
        return self._path

    def __repr__(self):
        return f'<SoftLink to "{self.path}">'


class ExternalLink:
    """A name for whatever is at a path of another file."""

    def __init__(self, filename, path):
        self._filename = base.os.fsdecode(filename)
        self._path = path

    @property
    def filename(self):
        """The other file."""
        return self._filename

    @property
    def path(self):
        """The path in it."""
        return self._path

    def __repr__(self):
        return f'<ExternalLink to "{self.path}" in file "{self.filename}"'


class Group(MutableMappingHDF5, HLObject):
    """Objects by name, as in a dictionary; names may be paths."""

    def __init__(self, bind):
        if not isinstance(bind, h5g.GroupID):
            raise ValueError(f"{bind} is not a GroupID")
        super().__init__(bind)

    __hash__ = HLObject.__hash__
    __eq__ = HLObject.__eq__

    # Making

    def create_group(self, name, track_order=None, *, track_times=False):
        """Makes a group, and the groups on the way to it; ``name=None`` makes one without a name."""
        track_order = h5.get_config().track_order if track_order is None else track_order
        if track_times not in (True, False, None):
            raise TypeError("track_times must be either True, False, or None")
        gcpl = h5p.create(h5p.GROUP_CREATE)
        gcpl.set_obj_track_times(bool(track_times))
        if track_order:
            gcpl.set_link_creation_order(TRACKED)
            gcpl.set_attr_creation_order(TRACKED)
        name, lcpl = self._e(name, lcpl=True)
        return Group(h5g.create(self.id, name, lcpl, gcpl))

    def require_group(self, name):
        """The group of this name, made if it is not there."""
        if name not in self:
            return self.create_group(name)
        found = self[name]
        if not isinstance(found, Group):
            raise TypeError(f"Incompatible object ({type(found).__name__}) already exists")
        return found

    def create_dataset(self, name, shape=None, dtype=None, data=None, **kwds):
        """Makes a dataset.

        shape, dtype
            Those of ``data`` unless given; float32 when there is neither.
        data
            Its elements.
        maxshape
            How large each axis may become, ``None`` for any length; ``True`` for any length of every axis.
        chunks
            The shape of a chunk, or ``True`` to have one chosen.
        compression, compression_opts
            'gzip' with its level, 'lzf', 'szip', or the number of a filter with its parameters.
        shuffle, fletcher32, scaleoffset
            Further filters.
        fillvalue, fill_time
            What reads where nothing was written, and when it is stored ('alloc', 'never', 'ifset').
        track_times, track_order, external, efile_prefix, virtual_prefix, rdcc_nbytes, rdcc_nslots, rdcc_w0,
        allow_unknown_filter, obj_track_times
            As in h5py.
        """
        if not kwds and shape is dtype is None and type(data) is np.ndarray and name and not h5.get_config().track_order:
            made = h5d.create_numbers(self.id, self._e(name), data)
            if made is not None:
                return Dataset(made)
        if "track_order" not in kwds:
            kwds["track_order"] = h5.get_config().track_order
        efile_prefix, virtual_prefix = kwds.get("efile_prefix"), kwds.get("virtual_prefix")
        group = self
        if name and b"/" in self._e(name).lstrip(b"/"):
            parent, last = self._e(name).rsplit(b"/", 1)
            group, name = self.require_group(parent), last
        made = make_new_dset(group, shape, dtype, data, name, **kwds)
        return _dataset(made, efile_prefix, virtual_prefix)

    def create_virtual_dataset(self, name=None, layout=None, fillvalue=None, *, VMlist=None):
        """Makes a virtual dataset from a :class:`VirtualLayout`; ``fillvalue`` reads where no source is.

        Deprecated: ``VMlist`` is one :class:`VirtualMap` or a list of them, as before there were layouts.
        """
        from . import legacy_vds

        if VMlist is not None or legacy_vds.is_list(name):
            name, layout = legacy_vds.layout(name if VMlist is None else VMlist)
        elif layout is None:
            raise TypeError("a virtual dataset is made from a layout")

        group = self
        if name and b"/" in self._e(name).lstrip(b"/"):
            parent, last = self._e(name).rsplit(b"/", 1)
            group, name = self.require_group(parent), last
        return Dataset(layout.make_dataset(group, self._e(name), fillvalue))

    def build_virtual_dataset(self, name, shape, dtype, maxshape=None, fillvalue=None):
        """In a ``with`` statement: gives a layout to fill, and makes the virtual dataset at the end."""
        return _Building(self, name, shape, dtype, maxshape, fillvalue)

    def require_dataset(self, name, shape, dtype, exact=False, **kwds):
        """The dataset of this name, made if it is not there.

        One that is there must have the shape, and a dtype to which ``dtype`` can be cast safely, or with ``exact`` the same.
        """
        if name not in self:
            return self.create_dataset(name, shape, dtype, **kwds)
        found = self[name]
        if not isinstance(found, Dataset):
            raise TypeError(f"Incompatible object ({type(found).__name__}) already exists")
        if any(kwds.get(key) is not None for key in ("rdcc_nslots", "rdcc_nbytes", "rdcc_w0")):
            access = found.id.get_access_plist()
            access.set_chunk_cache(*(kwds.get(key) for key in ("rdcc_nslots", "rdcc_nbytes", "rdcc_w0")))
            found.id._dapl = access
        if any(kwds.get(key) is not None for key in ("efile_prefix", "virtual_prefix")):
            opened_dset(found.id, kwds.get("efile_prefix"), kwds.get("virtual_prefix"))
        shape = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
        if shape != found.shape:
            if "maxshape" not in kwds:
                raise TypeError(f"Shapes do not match (existing {found.shape} vs new {shape})")
            if kwds["maxshape"] != found.maxshape:
                raise TypeError(f"Max shapes do not match (existing {found.maxshape} vs new {kwds['maxshape']})")
        dtype = np.dtype(dtype)
        if exact and dtype != found.dtype:
            raise TypeError(f"Datatypes do not exactly match (existing {found.dtype} vs new {dtype})")
        if not np.can_cast(dtype, found.dtype):
            raise TypeError(f"Datatypes cannot be safely cast (existing {found.dtype} vs new {dtype})")
        return found

    def create_dataset_like(self, name, other, **kwupdate):
        """Makes a dataset that is stored like another; keywords change what they name."""
        for key in ("shape", "dtype", "chunks", "compression", "compression_opts", "scaleoffset", "shuffle", "fletcher32", "fillvalue"):
            kwupdate.setdefault(key, getattr(other, key))
        dcpl = other.id.get_create_plist()
        kwupdate.setdefault("track_times", dcpl.get_obj_track_times())
        kwupdate.setdefault("track_order", bool(dcpl.get_attr_creation_order()))
        if "maxshape" not in kwupdate and other.maxshape != other.shape:
            kwupdate["maxshape"] = other.maxshape
        return self.create_dataset(name, **kwupdate)

    # Looking up

    def __getitem__(self, name):
        return self._get(name)

    def _get(self, name, lapl=None):
        if isinstance(name, (bytes, str)):
            found = h5o.open(self._id, self._e(name))
        elif isinstance(name, h5r.Reference):
            found = h5r.dereference(name, self.id)
            if found is None:
                raise ValueError("Invalid HDF5 object reference")
        else:
            raise TypeError(f"Accessing a group is done with bytes or str, not {type(name)}")
        return _object(found)

    def get(self, name, default=None, getclass=False, getlink=False, elink_mode=None, elink_locking=None, elink_swmr=None):
        """The object of this name, or ``default``.

        With ``getclass`` its class, with ``getlink`` the link, with both the class of the link. ``elink_mode``,
        ``elink_locking`` and ``elink_swmr`` say how the file of an external link is opened.
        """
        changed = (elink_mode, elink_locking, elink_swmr) != (None, None, None)
        if changed and not getclass and not getlink and self.get(name, getclass=True, getlink=True) is ExternalLink:
            return self._external(name, elink_mode, elink_locking, elink_swmr)
        if not getclass and not getlink:
            try:
                return self._get(name)
            except (KeyError, OSError) if name not in self else KeyError:
                return default
        if name not in self and not (getlink and self.id.links.exists(self._e(name))):
            return default
        if not getlink:
            kind = h5i.get_type(h5o.open(self.id, self._e(name)))
            return {h5i.GROUP: Group, h5i.DATASET: Dataset, h5i.DATATYPE: Datatype}[kind]
        return self._link(name, getclass)

    def _external(self, name, mode, locking, swmr):
        """What an external link leads to, in a file that is opened as asked."""
        own = self.file
        if mode not in (None, "r", "r+"):
            raise RuntimeError(f"Unsupported link access mode: {mode}")
        if mode == "r+" and own.mode == "r":
            raise ValueError("an external link from a file that is open to read cannot be opened to write")
        if own.mode == "r+" and own.swmr_mode and (mode is not None or swmr is not None):
            raise ValueError("the access of external links cannot be changed while readers follow the file")
        link = self.get(name, getlink=True)
        path = posixpath.join(posixpath.dirname(base.os.path.abspath(own.filename)), link.filename)
        mode = own.mode if mode is None else mode
        swmr = own.swmr_mode and mode == "r" if swmr is None else swmr
        return base.files.File(path, mode, swmr=swmr, locking=locking)[link.path]

    def _link(self, name, getclass):
        name = self._e(name)
        kind = self.id.links.get_info(name).type
        classes = {h5l.TYPE_SOFT: SoftLink, h5l.TYPE_EXTERNAL: ExternalLink, h5l.TYPE_HARD: HardLink}
        if kind not in classes:
            raise TypeError("Unknown link type")
        if getclass:
            return classes[kind]
        if kind == h5l.TYPE_SOFT:
            return SoftLink(self._d(self.id.links.get_val(name)))
        if kind == h5l.TYPE_EXTERNAL:
            filename, path = self.id.links.get_val(name)
            return ExternalLink(filename, self._d(path))
        return HardLink()

    def __setitem__(self, name, obj):
        try:
            self._set(name, obj)
        except ValueError as error:
            if "name already exists" not in str(error):
                raise
            # As h5py says it, which makes the link apart from what it leads to.
            raise OSError(str(error)) from None

    def _set(self, name, obj):
        name, lcpl = self._e(name, lcpl=True)
        if isinstance(obj, HLObject):
            h5o.link(obj.id, self.id, name, lcpl)
        elif isinstance(obj, SoftLink):
            self.id.links.create_soft(name, self._e(obj.path), lcpl)
        elif isinstance(obj, ExternalLink):
            self.id.links.create_external(name, base.filename_encode(obj.filename), self._e(obj.path), lcpl)
        elif isinstance(obj, np.dtype):
            h5t.py_create(obj, logical=True).commit(self.id, name, lcpl)
        else:
            self.create_dataset(name, data=obj)

    def __delitem__(self, name):
        self.id.unlink(self._e(name))

    def __len__(self):
        return self.id.get_num_objs()

    def _names(self):
        tracked = self.id.get_create_plist().get_link_creation_order() & h5p.CRT_ORDER_TRACKED
        return [self._d(name) for name, _ in self.id._need().links(bool(tracked))]

    def __iter__(self):
        yield from self._names()

    def __reversed__(self):
        yield from reversed(self._names())

    def __contains__(self, name):
        return bool(self.id) and h5g._path_valid(self.id, self._e(name))

    # Moving and copying

    def copy(self, source, dest, name=None, shallow=False, expand_soft=False, expand_external=False, expand_refs=False,
             without_attrs=False):  # fmt: skip
        """Copies an object, given itself or by its path, to a group or a path, with everything below it."""
        if isinstance(source, HLObject):
            source_id, source_path = source.id, b"."
        else:
            source_id, source_path = self.id, self._e(source)
        if isinstance(dest, Group):
            known = source if not isinstance(source, HLObject) else h5i.get_name(source.id)
            if name is None and known is not None:
                name = posixpath.basename(self._d(known) if isinstance(known, bytes) else known)
            target, path = dest.id, self._e(name)
        elif isinstance(dest, HLObject):
            raise TypeError("Destination must be path or Group object")
        else:
            target, path = self.id, self._e(dest)
        flags = {
            h5o.COPY_SHALLOW_HIERARCHY_FLAG: shallow,
            h5o.COPY_EXPAND_SOFT_LINK_FLAG: expand_soft,
            h5o.COPY_EXPAND_EXT_LINK_FLAG: expand_external,
            h5o.COPY_EXPAND_REFERENCE_FLAG: expand_refs,
            h5o.COPY_WITHOUT_ATTR_FLAG: without_attrs,
        }
        plist = h5p.create(h5p.OBJECT_COPY)
        plist.set_copy_object(sum(flag for flag, wanted in flags.items() if wanted))
        h5o.copy(source_id, source_path, target, path, plist, base.default_lcpl())

    def move(self, source, dest):
        """Gives a link another name, and makes the groups on the way to it."""
        if source != dest:
            self.id.links.move(self._e(source), self.id, self._e(dest), base.default_lcpl())

    # Walking

    def visit(self, func):
        """Calls ``func(path)`` for each object below, each once, until it gives something."""
        return h5o.visit(self.id, lambda name: func(self._d(name)))

    def visititems(self, func):
        """Calls ``func(path, object)`` for each object below, each once, until it gives something."""
        return h5o.walk(self.id, lambda name, found: func(self._d(name), _object(found())))

    def visit_links(self, func):
        """Calls ``func(path)`` for each link below until it gives something."""
        return self.id.links.visit(lambda name: func(self._d(name)))

    def visititems_links(self, func):
        """Calls ``func(path, link)`` for each link below until it gives something."""
        return self.id.links.visit(lambda name: func(self._d(name), self.get(name, getlink=True)))

    def __repr__(self):
        if not self.id:
            return "<Closed HDF5 group>"
        name = "(anonymous)" if self.name is None else f'"{self.name}"'
        return f"<HDF5 group {name} ({len(self)} members)>"


class _Building:
    """A virtual dataset being laid out."""

    def __init__(self, group, name, shape, dtype, maxshape, fillvalue):
        from .vds import VirtualLayout

        self._group, self._name, self._fillvalue = group, name, fillvalue
        self._layout = VirtualLayout(shape, dtype, maxshape, group.file.filename)

    def __enter__(self):
        return self._layout

    def __exit__(self, failure, *_):
        if failure is None:
            self._group.create_virtual_dataset(self._name, self._layout, self._fillvalue)


def _dataset(made, efile_prefix=None, virtual_prefix=None):
    opened_dset(made, efile_prefix, virtual_prefix)
    return Dataset(made)


def _object(found):
    if isinstance(found, h5d.DatasetID):
        return Dataset(found)
    if isinstance(found, h5f.FileID):
        return Group(h5g.GroupID(found._opened, found._object, b"/"))
    if isinstance(found, h5g.GroupID):
        return Group(found)
    return Datatype(found)
