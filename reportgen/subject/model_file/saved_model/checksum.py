"""CRC-32C, which TensorFlow writes beside every tensor and every block of an index."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint32]

# Castagnoli's polynomial, reflected. Over GF(2) the checksum is linear, so that many lanes are
# worked on at once and joined by the operator that appends zero bytes.
_POLYNOMIAL = np.uint32(0x82F63B78)
_LANES = 4096
_CHUNK = 16 * 2**20


def crc32c(data: Bytes) -> int:
    """The CRC-32C of bytes (RFC 3720, B.4)."""
    # An odd byte goes first, by hand; zeros in front then change nothing.
    state = np.full(1, 0xFFFFFFFF, np.uint32)
    if len(data) % 2:
        word = (state ^ data[0]) & np.uint32(0xFF)
        for _ in range(8):
            word = np.where(word & 1, (word >> 1) ^ _POLYNOMIAL, word >> 1).astype(np.uint32)
        state = (state >> np.uint32(8)) ^ word
        data = data[1:]
    for start in range(0, len(data), _CHUNK):
        chunk = data[start : start + _CHUNK]
        state = _apply(_zeros(len(chunk) // 2), state) ^ _raw_crc(chunk)
    return int(state[0]) ^ 0xFFFFFFFF


def mask(checksum: int) -> int:
    """How TensorFlow writes a checksum, so that one of a checksum differs from it."""
    rotated = ((checksum >> 15) | (checksum << 17)) & 0xFFFFFFFF
    return (rotated + 0xA282EAD8) & 0xFFFFFFFF


def _raw_crc(data: Bytes) -> Words:
    pairs = data.view("<u2")
    lanes = min(_LANES, 1 << (len(pairs).bit_length() // 2))
    length = -(-len(pairs) // lanes)
    padded = np.zeros(lanes * length, np.uint16)
    padded[lanes * length - len(pairs) :] = pairs
    states, table = np.zeros(lanes, np.uint32), _table()
    for column in np.ascontiguousarray(padded.reshape(lanes, length).T):
        states = table[(states ^ column) & np.uint32(0xFFFF)] ^ (states >> np.uint32(16))
    while len(states) > 1:
        states = _apply(_zeros(length), states[0::2]) ^ states[1::2]
        length *= 2
    return states


@cache
def _table() -> Words:
    """What two bytes do to the checksum: 65536 words."""
    words = np.arange(65536, dtype=np.uint32)
    for _ in range(16):
        words = np.where(words & 1, (words >> 1) ^ _POLYNOMIAL, words >> 1).astype(np.uint32)
    return words


def _apply(operator: Words, words: Words) -> Words:
    result = np.zeros_like(words)
    for bit in range(32):
        result ^= np.where((words >> np.uint32(bit)) & 1, operator[bit], 0).astype(np.uint32)
    return result


@cache
def _zeros(pairs: int) -> Words:
    """The operator of ``2 * pairs`` zero bytes: what each of the 32 bits becomes."""
    bits = (np.uint32(1) << np.arange(32, dtype=np.uint32)).astype(np.uint32)
    if pairs == 0:
        return bits
    if pairs == 1:
        moved: Words = _table()[bits & 0xFFFF] ^ (bits >> np.uint32(16))
        return moved
    half = _zeros(pairs // 2)
    whole = _apply(half, half)
    return _apply(_zeros(1), whole) if pairs % 2 else whole
