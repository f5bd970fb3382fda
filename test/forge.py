"""Images and streams made to deceive: changed, and all checksums made right
again (sess-image(5))."""

import ctypes
import os
import struct

HEAD_MACHINE, HEAD_HASH = 24, 4088
STREAM_HEAD, PART_HEAD, PART_SEAL = 64, 32, 16


def record_starts(data):
    """Offsets of all records, by the lengths in their heads."""
    start, length = struct.unpack_from("<QQ", data, len(data) - 160 + 56)
    at, found = start, []
    while at < start + length:
        found.append(at)
        at += 24 + (struct.unpack_from("<I", data, at + 12)[0] + 7) // 8 * 8
    return found


def _xxh3_64(data):
    """XXH3-64 by the library that sess itself uses."""
    lib = ctypes.CDLL("libxxhash.so.0")
    lib.XXH3_64bits.restype = ctypes.c_uint64
    return lib.XXH3_64bits(bytes(data), ctypes.c_size_t(len(data)))


def _xxh3_128(data):
    class Hash(ctypes.Structure):
        _fields_ = [("low", ctypes.c_uint64), ("high", ctypes.c_uint64)]

    lib = ctypes.CDLL("libxxhash.so.0")
    lib.XXH3_128bits.restype = Hash
    h = lib.XXH3_128bits(bytes(data), ctypes.c_size_t(len(data)))
    return struct.pack(">QQ", h.high, h.low)


def seal(image):
    """Make all checksums right again after a change of header or records."""
    tail = len(image) - 160
    head_hash = _xxh3_64(image[:HEAD_HASH])
    struct.pack_into("<Q", image, HEAD_HASH, head_hash)
    struct.pack_into("<Q", image, tail + 88, head_hash)
    for at in record_starts(image):
        n = (struct.unpack_from("<I", image, at + 12)[0] + 7) // 8 * 8
        struct.pack_into("<Q", image, at, _xxh3_64(image[at + 8 : at + 24 + n]))
    start, length = struct.unpack_from("<QQ", image, tail + 56)
    image[tail + 96 : tail + 112] = _xxh3_128(image[start : start + length])
    image[tail + 144 : tail + 160] = _xxh3_128(image[tail : tail + 144])


def machine_record(image):
    """Offset and message length of the record Machine: it names this
    machine's kernel."""
    release = os.uname().release.encode()
    for at in record_starts(image):
        n = struct.unpack_from("<I", image, at + 12)[0]
        if release in image[at + 24 : at + 24 + n] and b"x86_64" in image[
            at + 24 : at + 24 + n
        ]:
            return at, n
    raise AssertionError("no record Machine")


def want_all_features(image):
    """All feature bits of the saved machine set: some are missing here."""
    at, _ = machine_record(image)
    body = at + 24
    # Field 1 is the architecture, field 2 the packed features, in order.
    assert image[body] == 0x0A
    field = body + 2 + image[body + 1]
    assert image[field] == 0x12, image[field : field + 8]
    length = image[field + 1]
    assert length < 0x80
    for i in range(field + 2, field + 2 + length):
        image[i] |= 0x7F  # varint digits; which end a number stays
    seal(image)


def stream_parts(data):
    """(offset of the content, its length) of all parts of a stream."""
    at, found = STREAM_HEAD, []
    while at < len(data):
        n = struct.unpack_from("<Q", data, at + 8)[0]
        found.append((at + PART_HEAD, n))
        at += PART_HEAD + n + PART_SEAL
    return found


def seal_stream(data):
    struct.pack_into("<Q", data, 56, _xxh3_64(data[:56]))
    for at, n in stream_parts(data):
        end = at + n
        data[end : end + PART_SEAL] = _xxh3_128(data[:end])


def change_image(stream, change):
    """The stream with another image in it."""
    stream = bytearray(stream)
    at, n = stream_parts(stream)[0]
    image = bytearray(stream[at : at + n])
    change(image)
    assert len(image) == n
    stream[at : at + n] = image
    seal_stream(stream)
    return stream
