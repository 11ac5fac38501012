#!/usr/bin/env python3
"""Fills fuzz/corpus/TARGET with small starting points: files that h5py makes, those of ../shared/corpus where it is there,
and the structures found in both by their signatures."""
import glob
import hashlib
import os
import struct
import sys
import tempfile

import h5py
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
SHARED = os.path.join(os.environ.get('HYPERSLAB_SHARED', os.path.join(HERE, '..', '..', 'shared')), 'corpus', 'files')
LARGEST = 8 << 10
SIGNATURES = [b'TREE', b'SNOD', b'HEAP', b'GCOL', b'FRHP', b'FHDB', b'FHIB', b'FAHD', b'FADB', b'EAHD', b'EAIB', b'EASB', b'EADB',
              b'BTHD', b'BTIN', b'BTLF', b'SMTB', b'SMLI', b'FSHD', b'FSSE']
PIECE = 640


def types():
    """Datatypes of every class that h5py can say."""
    t = h5py.h5t
    yield from (t.STD_I8LE, t.STD_I16BE, t.STD_U32LE, t.STD_U64BE, t.IEEE_F16LE, t.IEEE_F32BE, t.IEEE_F64LE, t.STD_B8LE,
                t.STD_REF_OBJ, t.STD_REF_DSETREG, t.UNIX_D32LE, t.C_S1, t.FORTRAN_S1)
    for kind in (np.dtype([('a', '<i2'), ('b', [('c', '>f8', (2, 3))])]), np.dtype('c16'), np.dtype('V9'), np.dtype('?'),
                 np.dtype('S7'), h5py.string_dtype(), h5py.vlen_dtype(np.dtype('<i4')), h5py.enum_dtype({'A': 1, 'B': 9}, basetype='u2')):
        yield t.py_create(kind, logical=True)


def make(folder):
    """Small files that between them have most structures."""
    for libver in ('earliest', 'v108', 'v110', 'latest'):
        def new(name):
            return h5py.File('%s/%s-%s.h5' % (folder, name, libver), 'w', libver=(libver, 'latest'))
        with new('plain') as f:
            f['a/b'] = np.arange(6, dtype='>i4')
            f['soft'] = h5py.SoftLink('/a/b')
            f['else'] = h5py.ExternalLink('x.h5', '/y')
            f.attrs['text'] = 'word'
        with new('chunks') as f:
            f.create_dataset('a', data=np.arange(40, dtype='u2').reshape(5, 8), chunks=(2, 3), maxshape=(None, 8), compression='gzip', shuffle=True)
            f.create_dataset('b', data=np.arange(20, dtype='u1'), chunks=(3,), fletcher32=True)
        with new('growing') as f:
            f.create_dataset('a', data=np.ones((4, 4), 'u1'), chunks=(2, 2), maxshape=(None, None))
        with new('virtual') as f:
            layout = h5py.VirtualLayout((4, 6), 'i4')
            for i in range(2):
                layout[i::2, 1:5] = h5py.VirtualSource('s%d.h5' % i, 'd', shape=(2, 4))
            f.create_virtual_dataset('v', layout, fillvalue=-1)
        with new('values') as f:
            f.create_dataset('s', data=['one', 'two'], dtype=h5py.string_dtype())
            f.create_dataset('r', data=[f.ref, f['s'].ref], dtype=h5py.ref_dtype)
        with new('links') as f:
            g = f.create_group('g', track_order=True)
            for i in range(10):
                g['n%d' % i] = h5py.SoftLink('/')


def save(target, data, seen={}):
    folder = os.path.join(HERE, 'corpus', target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, hashlib.sha256(data).hexdigest()[:16]), 'wb') as f:
        f.write(data)
    seen[target] = seen.get(target, 0) + 1
    return seen


def pieces(data):
    """Structures in a file, from their signature on."""
    for signature in SIGNATURES:
        at = data.find(signature)
        while at >= 0:
            yield data[at:at + PIECE]
            at = data.find(signature, at + 4)


def heap_objects(data):
    """What the global heaps of a file hold; a virtual dataset keeps its mappings there."""
    at = data.find(b'GCOL')
    while at >= 0:
        size, = struct.unpack_from('<Q', data, at + 8) if at + 16 <= len(data) else (0,)
        here, end = at + 16, min(at + size, len(data))
        while here + 16 <= end:
            index, _, _, length = struct.unpack_from('<HHIQ', data, here)
            if index == 0 or length > end - here - 16:
                break
            yield data[here + 16:here + 16 + length]
            here += 16 + (length + 7) // 8 * 8
        at = data.find(b'GCOL', at + 4)


def main():
    for kind in types():
        save('datatype', kind.encode()[2:])
    with tempfile.TemporaryDirectory() as folder:
        make(folder)
        paths = glob.glob(folder + '/*.h5') + glob.glob(SHARED + '/**/*', recursive=True)
        for path in sorted(paths):
            if not os.path.isfile(path) or os.path.getsize(path) > LARGEST * (4 if path.startswith(folder) else 1):
                continue
            with open(path, 'rb') as f:
                data = f.read()
            save('whole_file', data)
            save('superblock_header', data[:2048])
            for piece in pieces(data):
                save('index_heaps', piece)
            for piece in heap_objects(data):
                if len(piece) > 16:
                    seen = save('virtual_block', piece)
    print(', '.join('%s: %d seeds' % pair for pair in sorted(seen.items())))


if __name__ == '__main__':
    sys.exit(main())
