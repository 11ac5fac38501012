#!/usr/bin/env python3
"""Fills fuzz/corpus/TARGET with small starting points: files that h5py makes, those of ../shared/corpus where it is there,
and the structures found in both by their signatures."""
import glob
import hashlib
import os
import re
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
        with new('arrays') as f:
            for name, chunks, most in ('array', (1,), (40,)), ('growing', (1,), (None,)), ('tree', (1, 2), (None, None)), ('one', (40,), (40,)):
                size = (40,) if len(chunks) == 1 else (5, 4)
                f.create_dataset(name, data=np.arange(np.prod(size), dtype='u1').reshape(size), chunks=chunks, maxshape=most)
                f.create_dataset(name + '-packed', data=np.arange(np.prod(size), dtype='u1').reshape(size), chunks=chunks, maxshape=most, compression=1)
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
    """A plan for the index_heaps target with each structure of a file, and the file."""
    at = {signature: [match.start() for match in re.finditer(signature, data)] for signature in SIGNATURES}
    heaps = at[b'FRHP'] or at[b'HEAP'] or [0]
    for address in (address for places in at.values() for address in places[:3]):
        if max(address, heaps[0]) < 1 << 16:
            for rank, growing, filtered, sides in (0, 0, 0, (40, 1)), (0, 1, 0x80, (40, 1)), (1, 3, 0, (5, 4)):
                yield struct.pack('<6B4H4B2H', 0, rank, 1, filtered, growing, 0, *sides, 1, 1, 1, 2, 1, 1, address, heaps[0]) + data


def chunks(folder):
    """Parameters and a chunk of each filter that h5py, and hdf5plugin where it is there, can write."""
    filters = [{'compression': 'gzip'}, {'compression': 'lzf'}, {'shuffle': True}, {'fletcher32': True}, {'scaleoffset': 0},
               {'compression': 'szip', 'compression_opts': ('nn', 8)}]
    try:
        import hdf5plugin as p
        filters += [dict(f) for f in (p.Bitshuffle(), p.Bitshuffle(cname='zstd'), p.Blosc(), p.Blosc(cname='zstd'), p.Blosc(cname='zlib'),
                                      p.BZip2(), p.LZ4(), p.Zstd())]
    except ImportError:
        pass
    with h5py.File(folder + '/filters', 'w') as f:
        for number, options in enumerate(filters):
            for size in 24, 1024:
                try:
                    dataset = f.create_dataset('%d-%d' % (number, size), data=np.arange(size, dtype='<i4') // 3, chunks=(size,), **options)
                except ValueError:
                    continue
                client = dataset.id.get_create_plist().get_filter(0)[2]
                yield struct.pack('<B%dI' % len(client), len(client), *client) + dataset.id.read_direct_chunk((0,))[1]


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
        save('message', kind.encode()[2:])
    with tempfile.TemporaryDirectory() as folder:
        make(folder)
        for chunk in chunks(folder):
            save('filter', chunk)
        paths = glob.glob(folder + '/*.h5') + glob.glob(SHARED + '/**/*', recursive=True)
        for path in sorted(paths):
            if not os.path.isfile(path) or os.path.getsize(path) > LARGEST * (4 if path.startswith(folder) else 1):
                continue
            with open(path, 'rb') as f:
                data = f.read()
            save('whole_file', data)
            save('edit', bytes(range(48)) + data)
            save('superblock_header', data[:2048])
            for piece in pieces(data):
                save('index_heaps', piece)
            for piece in heap_objects(data):
                if len(piece) > 16:
                    seen = save('virtual_block', piece)
                    for match in re.finditer(b'\\x02\\0\\0\\0[\\x01-\\x03]\\0\\0\\0', piece):
                        save('selection', piece[match.start():])
    print(', '.join('%s: %d seeds' % pair for pair in sorted(seen.items())))


if __name__ == '__main__':
    sys.exit(main())
