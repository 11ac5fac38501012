"""What the cases of live files look at in the bytes of a file: superblock, object header, chunk indexes.

Only as much of each structure as the cases ask, with offsets and lengths of eight bytes.
"""
import struct

UNDEFINED = 2 ** 64 - 1
MASK = 0xffffffff


def number(data, at, size):
    return int.from_bytes(data[at:at + size], 'little')


def rotated(x, k):
    return ((x << k) | (x >> (32 - k))) & MASK


def lookup3(data):
    """The checksum of the format (Bob Jenkins' hashlittle, from 0)."""
    a = b = c = (0xdeadbeef + len(data)) & MASK
    if not data:
        return c
    whole = (len(data) - 1) // 12 * 12
    for at in range(0, whole, 12):
        x, y, z = struct.unpack_from('<3I', data, at)
        a, b, c = (a + x) & MASK, (b + y) & MASK, (c + z) & MASK
        a = ((a - c) & MASK) ^ rotated(c, 4); c = (c + b) & MASK
        b = ((b - a) & MASK) ^ rotated(a, 6); a = (a + c) & MASK
        c = ((c - b) & MASK) ^ rotated(b, 8); b = (b + a) & MASK
        a = ((a - c) & MASK) ^ rotated(c, 16); c = (c + b) & MASK
        b = ((b - a) & MASK) ^ rotated(a, 19); a = (a + c) & MASK
        c = ((c - b) & MASK) ^ rotated(b, 4); b = (b + a) & MASK
    x, y, z = struct.unpack('<3I', data[whole:].ljust(12, b'\0'))
    a, b, c = (a + x) & MASK, (b + y) & MASK, (c + z) & MASK
    c = ((c ^ b) - rotated(b, 14)) & MASK
    a = ((a ^ c) - rotated(c, 11)) & MASK
    b = ((b ^ a) - rotated(a, 25)) & MASK
    c = ((c ^ b) - rotated(b, 16)) & MASK
    a = ((a ^ c) - rotated(c, 4)) & MASK
    b = ((b ^ a) - rotated(a, 14)) & MASK
    return ((c ^ b) - rotated(b, 24)) & MASK


def summed(data):
    """A block with the checksum behind it."""
    return bytes(data) + struct.pack('<I', lookup3(bytes(data)))


def content(path):
    with open(path, 'rb') as file:
        return file.read()


def put(path, at, data):
    with open(path, 'r+b') as file:
        file.seek(at)
        file.write(data)


def superblock(path):
    """Version, flags and end of file as a superblock of version 2 or 3 has them."""
    head = content(path)[:48]
    return {'version': head[8], 'flags': head[11], 'end': number(head, 28, 8), 'root': number(head, 36, 8)}


def header_at(data, signature, nth=0):
    """Where the nth structure of that signature begins whose checksum is right."""
    at = -1
    for _ in range(nth + 1):
        at = data.index(signature, at + 1)
    return at


def extensible_array(data):
    """An extensible array, with addresses as whether they are there; the file has one, in chunks without filters."""
    at = header_at(data, b'EAHD')
    kept = data[at:at + 60]
    element = data[at + 6]
    block = number(data, at + 60, 8)
    found = {'EAHD': kept.hex()}

    def there(start, count, width=8):
        return [number(data, start + i * width, 8) != UNDEFINED for i in range(count)]

    def data_block(name, start, elements):
        if start == UNDEFINED:
            return
        found['EADB ' + name] = (data[start:start + 6].hex(), number(data, start + 6, 8) == at, data[start + 14:start + 18].hex(),
                                 there(start + 18, elements, element))

    found['EAIB'] = (data[block:block + 6].hex(), number(data, block + 6, 8) == at)
    found['EAIB elements'] = there(block + 14, 4, element)
    blocks = block + 14 + 4 * element
    sizes = [16, 32, 32, 32, 64, 64]
    for n, elements in enumerate(sizes):
        data_block(str(n), number(data, blocks + 8 * n, 8), elements)
    for n in range(25):
        upper = number(data, blocks + 48 + 8 * n, 8)
        if upper == UNDEFINED:
            continue
        u = n + 4
        count, elements = 2 ** (u // 2), 16 * 2 ** ((u + 1) // 2)
        assert elements <= 1024, 'no pages here'
        found['EASB %d' % n] = (data[upper:upper + 6].hex(), number(data, upper + 6, 8) == at, data[upper + 14:upper + 18].hex())
        for k in range(count):
            data_block('%d.%d' % (n, k), number(data, upper + 18 + 8 * k, 8), elements)
    return found


def statistics(data):
    """Super blocks, their bytes, data blocks, their bytes, highest index and one, elements: what an EA header counts."""
    at = header_at(data, b'EAHD')
    return tuple(number(data, at + 12 + 8 * n, 8) for n in range(6))


def tree_nodes(data):
    """Depth, and addresses of the nodes of a version 2 B-tree of chunks without filters in two dimensions."""
    at = header_at(data, b'BTHD')
    size, record, depth = number(data, at + 6, 4), number(data, at + 10, 2), number(data, at + 12, 2)

    def width(most):
        return (most.bit_length() - 1) // 8 + 1

    least = (size - 10) // record
    below, pointers = [least], [0]
    for level in range(1, depth + 1):
        pointer = 8 + width(least) + (width(below[-1]) if level > 1 else 0)
        most = (size - 10 - pointer) // (record + pointer)
        pointers.append(pointer)
        below.append((most + 1) * below[-1] + most)
    nodes = []

    def walk(node, records, level):
        nodes.append(node)
        if level == 0:
            return
        start, pointer = node + 6 + records * record, pointers[level]
        for child in range(records + 1):
            place = start + child * pointer
            walk(number(data, place, 8), number(data, place + 8, width(least)), level - 1)

    walk(number(data, at + 16, 8), number(data, at + 24, 2), depth)
    return depth, size, nodes


def move_dataspace(path):
    """Moves the dataspace message of the only dataset of a file into a continuation of its header."""
    data = bytearray(content(path))
    dataset = header_at(data, b'OHDR', 1 if data[48:52] == b'OHDR' or data.count(b'OHDR') > 1 else 0)
    flags = data[dataset + 5]
    first = dataset + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
    width = 1 << (flags & 3)
    length = number(data, first, width)
    begin = first + width
    step = 6 if flags & 4 else 4
    at = begin
    while data[at] != 1:
        at += step + number(data, at + 1, 2)
    body = number(data, at + 1, 2)
    message = bytes(data[at:at + step + body])
    chunk = summed(b'OCHK' + message)
    end = len(data)
    order = message[4:step]
    left = body - 16 - step
    moved = bytes([16, 16, 0, 0]) + order + struct.pack('<QQ', end, len(chunk))
    moved += bytes([0]) + struct.pack('<H', left) + bytes([0]) + order + bytes(left)
    data[at:at + step + body] = moved
    data[begin + length:begin + length + 4] = struct.pack('<I', lookup3(bytes(data[dataset:begin + length])))
    data += chunk
    data[28:36] = struct.pack('<Q', len(data))
    data[44:48] = struct.pack('<I', lookup3(bytes(data[:44])))
    with open(path, 'wb') as file:
        file.write(data)
