"""Datatypes of every class: as the script writes them down, as HDF5 has them, and with elements to try."""
import struct

import h5py
import numpy as np
from h5py import h5t

ORDERS = {h5t.ORDER_LE: '<', h5t.ORDER_BE: '>'}
PADDINGS = {h5t.STR_NULLTERM: 'terminated', h5t.STR_NULLPAD: 'nulls', h5t.STR_SPACEPAD: 'spaces'}


def spec(tid):
    """A datatype of HDF5 as the script writes it down."""
    kind = tid.get_class()
    if kind == h5t.INTEGER:
        return dict({'class': 'integer', 'size': tid.get_size(), 'signed': tid.get_sign() == h5t.SGN_2,
                     'order': ORDERS[tid.get_order()], 'precision': tid.get_precision(), 'offset': tid.get_offset()})
    if kind == h5t.FLOAT:
        for name, known in FLOATS:
            if tid.equal(known):
                return name
        return '%sf%d' % (ORDERS[tid.get_order()], tid.get_size())
    if kind == h5t.STRING:
        return {'class': 'string', 'size': None if tid.is_variable_str() else tid.get_size(),
                'padding': PADDINGS[tid.get_strpad()],
                'characters': 'utf8' if tid.get_cset() == h5t.CSET_UTF8 else 'ascii'}
    if kind == h5t.BITFIELD:
        return {'class': 'bitfield', 'size': tid.get_size(), 'order': ORDERS[tid.get_order()]}
    if kind == h5t.OPAQUE:
        return {'class': 'opaque', 'size': tid.get_size(), 'tag': tid.get_tag().decode()}
    if kind == h5t.COMPOUND:
        members = [[tid.get_member_name(i).decode(), spec(tid.get_member_type(i)), tid.get_member_offset(i)]
                   for i in range(tid.get_nmembers())]
        if any(tid.get_member_type(i).detect_class(h5t.VLEN) or in_heap(tid.get_member_type(i)) for i in range(tid.get_nmembers())):
            return {'class': 'compound', 'members': [member[:2] for member in members]}
        return {'class': 'compound', 'size': tid.get_size(), 'members': members}
    if kind == h5t.ENUM:
        members = [[tid.get_member_name(i).decode(), tid.get_member_value(i)] for i in range(tid.get_nmembers())]
        return {'class': 'enumeration', 'base': spec(tid.get_super()), 'members': members}
    if kind == h5t.ARRAY:
        return {'class': 'array', 'base': spec(tid.get_super()), 'dims': list(tid.get_array_dims())}
    if kind == h5t.VLEN:
        return {'class': 'sequence', 'base': spec(tid.get_super())}
    if kind == h5t.REFERENCE:
        return {'class': 'reference', 'kind': 'object' if tid.equal(h5t.STD_REF_OBJ) else 'region'}
    raise ValueError('class %d' % kind)


def in_heap(tid):
    """Whether it is a variable string, which libhdf5 counts among the strings."""
    return tid.get_class() == h5t.STRING and tid.is_variable_str()


class Kind:
    """One datatype: `raw` gives bytes of elements, or `values` Python values when some are kept in a heap."""

    def __init__(self, name, tid, dtype=None, raw=None, values=None, written=None):
        self.name, self.tid, self.dtype, self._raw, self._values = name, tid, dtype, raw, values
        self.spec = written or spec(tid)
        self.size = tid.get_size()
        self.variable = values is not None
        self.cls = tid.get_class()

    def elements(self, rng, count):
        """An array of `count` elements: of bytes, or of Python values."""
        if self.variable:
            out = np.empty(count, object)
            for i in range(count):
                out[i] = self._values(rng)
            return out
        data = self._raw(rng, count) if self._raw else rng.randbytes(count * self.size)
        return np.frombuffer(data, 'V%d' % self.size, count).copy()


def ready(tid, *changes):
    tid = tid.copy()
    for name, *arguments in changes:
        getattr(tid, name)(*arguments)
    return tid


QUADRUPLE = ready(h5t.IEEE_F64LE, ('set_size', 16), ('set_precision', 128), ('set_fields', 127, 112, 15, 0, 112),
                  ('set_ebias', 16383), ('set_order', h5t.ORDER_BE))
BRAIN = ready(h5t.IEEE_F32LE, ('set_fields', 15, 7, 8, 0, 7), ('set_precision', 16), ('set_size', 2), ('set_ebias', 127))
FLOATS = [({'class': 'float', 'kind': 'long double'}, h5t.NATIVE_LDOUBLE),
          ({'class': 'float', 'kind': 'quadruple', 'order': '>'}, QUADRUPLE),
          ({'class': 'float', 'kind': 'brain', 'order': '<'}, BRAIN)]


def string(size, padding, characters):
    return ready(h5t.C_S1, ('set_size', size), ('set_strpad', padding), ('set_cset', characters))


def text(rng):
    return ''.join(rng.choice('abcä€z') for _ in range(rng.choice([0, 1, 3, 9, 40])))


def ascii_text(rng):
    return ''.join(rng.choice('abcz 09') for _ in range(rng.choice([0, 1, 3, 9, 40])))


def floats(dtype):
    special = [0.0, -0.0, 1.5, -2.25, 1e-7, 60000.0, float('inf'), float('-inf'), float('nan')]

    def raw(rng, count):
        with np.errstate(all='ignore'):
            return np.array([rng.choice(special) if rng.random() < .3 else rng.uniform(-100, 100) for _ in range(count)], dtype).tobytes()
    return raw


def few(*elements):
    """Elements out of a few."""
    return lambda rng, count: b''.join(rng.choice(elements) for _ in range(count))


def long_doubles(rng, count):
    return b''.join(np.longdouble(rng.uniform(-9, 9)).tobytes()[:10] + bytes(6) for _ in range(count))


def characters(size, padding):
    def raw(rng, count):
        out = []
        for _ in range(count):
            room = size - 1 if padding == h5t.STR_NULLTERM else size
            word = bytes(rng.choice(b'abcxyz') for _ in range(rng.randint(0, room)))
            out.append(word.ljust(size, b' ' if padding == h5t.STR_SPACEPAD else b'\0'))
        return b''.join(out)
    return raw


def of_dtype(name, dtype, raw=None):
    return Kind(name, h5t.py_create(np.dtype(dtype), logical=True), np.dtype(dtype), raw)


def records(dtype):
    """Elements of a compound with zeroes between its members."""
    def raw(rng, count):
        out = np.zeros(count, dtype)
        fill(out, rng)
        return out.tobytes()

    def fill(out, rng):
        for name in out.dtype.names:
            part = out[name]
            if part.dtype.names:
                fill(part, rng)
                out[name] = part
            elif part.dtype.kind == 'f':
                out[name] = np.array([rng.uniform(-9, 9) for _ in range(part.size)]).reshape(part.shape)
            elif part.dtype.kind == 'S':
                out[name] = [bytes(rng.choice(b'abc') for _ in range(rng.randint(0, part.dtype.itemsize))) for _ in range(part.size)]
            elif part.dtype.kind == 'b':
                out[name] = [rng.random() < .5 for _ in range(part.size)]
            else:
                out[name] = np.array([rng.randint(0, 120) for _ in range(part.size)]).reshape(part.shape)
    return raw


def fixed():
    for order in '<>':
        for code in ('i1', 'u1', 'i2', 'u2', 'i4', 'u4', 'i8', 'u8'):
            if order == '<' or code[1] != '1':
                yield of_dtype(order + code, order + code)
        for code in ('f2', 'f4', 'f8'):
            yield of_dtype(order + code, order + code, floats(order + code))
    yield of_dtype('complex64', '<c8', floats('<c8'))
    yield of_dtype('complex128, big-endian', '>c16', floats('>c16'))
    yield of_dtype('complex of half', np.dtype([('r', '<f2'), ('i', '<f2')]), records(np.dtype([('r', '<f2'), ('i', '<f2')])))
    yield Kind('24 bits', ready(h5t.STD_I32LE, ('set_size', 3)))
    twelve = ready(h5t.STD_U16LE, ('set_precision', 12), ('set_offset', 2))
    yield Kind('12 of 16 bits', twelve, raw=lambda rng, n: b''.join(struct.pack('<H', rng.randrange(4096) << 2) for _ in range(n)))
    twenty = ready(h5t.STD_I32BE, ('set_precision', 20), ('set_offset', 0))
    yield Kind('20 of 32 bits, big-endian', twenty, raw=lambda rng, n: b''.join(struct.pack('>I', rng.randrange(1 << 20)) for _ in range(n)))
    yield Kind('long double', h5t.NATIVE_LDOUBLE, np.dtype(np.longdouble), long_doubles)
    yield Kind('quadruple', QUADRUPLE, raw=few(bytes(16), bytes([0x3f, 0xff] + [0] * 14), bytes([0xc0, 0, 0x92] + [7] * 13)))
    yield Kind('bfloat16', BRAIN, raw=few(b'\0\0', b'\x80\x3f', b'\x49\xc0'))
    yield of_dtype('bool', bool, few(b'\0', b'\1'))
    yield of_dtype('enumeration', h5py.enum_dtype({'RED': 0, 'GREEN': 1, 'BLUE': 42}, 'u1'), few(b'\0', b'\1', b'*'))
    yield of_dtype('enumeration of >i2', h5py.enum_dtype({'LOW': -3, 'HIGH': 300}, '>i2'), few(struct.pack('>h', -3), struct.pack('>h', 300)))
    for padding in PADDINGS:
        for code in (h5t.CSET_ASCII, h5t.CSET_UTF8):
            name = 'string %s %s' % (PADDINGS[padding], 'utf8' if code == h5t.CSET_UTF8 else 'ascii')
            yield Kind(name, string(7, padding, code), raw=characters(7, padding))
    yield Kind('opaque', ready(h5t.create(h5t.OPAQUE, 5), ('set_tag', b'five bytes')), np.dtype('V5'))
    yield Kind('bitfield', h5t.STD_B8LE, np.dtype('u1'))
    yield Kind('bitfield, big-endian', h5t.STD_B16BE, np.dtype('>u2'))
    flat = np.dtype([('a', '<i4'), ('b', '>f8'), ('c', 'u1')])
    yield of_dtype('compound', flat, records(flat))
    inner = np.dtype({'names': ['p', 'q'], 'formats': ['>u2', '<f4'], 'offsets': [0, 4], 'itemsize': 12})
    nested = np.dtype({'names': ['x', 's', 'n', 'm', 'ok'], 'formats': ['<f4', 'S5', inner, ('<i2', (2, 3)), bool],
                       'offsets': [0, 8, 16, 28, 40], 'itemsize': 48})
    yield of_dtype('compound, nested', nested, records(nested))
    yield of_dtype('array', np.dtype(('<i4', (3,))))
    yield of_dtype('array of two axes', np.dtype(('>f8', (2, 2))), lambda rng, n: floats('>f8')(rng, 4 * n))
    yield of_dtype('array of compounds', np.dtype((flat, (2,))), lambda rng, n: records(flat)(rng, 2 * n))


def variable():
    utf8, ascii = h5py.string_dtype('utf-8'), h5py.string_dtype('ascii')
    yield Kind('variable string', h5t.py_create(utf8, logical=True), utf8, values=text)
    yield Kind('variable string, ascii', h5t.py_create(ascii, logical=True), ascii, values=ascii_text)
    for code in ('<i4', '>f8', 'u1'):
        dtype = h5py.vlen_dtype(np.dtype(code))
        number = (lambda rng: rng.randint(-99, 99) / 4) if 'f' in code else (lambda rng: rng.randint(0, 99))
        yield Kind('sequence of ' + code, h5t.py_create(dtype, logical=True), dtype,
                   values=lambda rng, number=number: [number(rng) for _ in range(rng.choice([0, 1, 5, 30]))])
    record = np.dtype([('n', '<i4'), ('s', utf8), ('v', h5py.vlen_dtype('<u2'))])
    yield Kind('compound with variable members', h5t.py_create(record, logical=True), record,
               values=lambda rng: [rng.randint(-9, 9), text(rng), [rng.randint(0, 9) for _ in range(rng.randint(0, 4))]])
    two = np.dtype((utf8, (2,)))
    yield Kind('array of variable strings', h5t.array_create(h5t.py_create(utf8, logical=True), (2,)), two,
               values=lambda rng: [text(rng), text(rng)])


def references():
    yield Kind('object reference', h5t.STD_REF_OBJ, raw=lambda rng, n: bytes(8 * n))
    yield Kind('region reference', h5t.STD_REF_DSETREG, raw=lambda rng, n: bytes(12 * n))


def plain(value):
    """What h5py reads, as JSON would have it."""
    if isinstance(value, bytes):
        return value.decode('utf8')
    if isinstance(value, (np.void, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, (np.ndarray, list)):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        return value.item()
    return value
