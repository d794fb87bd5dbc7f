"""The checksum of checkpoints, against the published values and a bitwise computation."""

import numpy as np

from reportgen.subject.model_file.saved_model.checksum import crc32c, mask


def test_the_checksum_is_that_of_the_standard():
    """RFC 3720, B.4; and one lane against many."""
    cases = {
        b"": 0,
        b"123456789": 0xE3069283,
        bytes(32): 0x8A9136AA,
        b"\xff" * 32: 0x62A8AB43,
        bytes(range(32)): 0x46DD794E,
    }
    for data, expected in cases.items():
        assert crc32c(np.frombuffer(data, np.uint8)) == expected
    assert mask(0) == 0xA282EAD8
    data = np.random.default_rng(1).integers(0, 256, 70_001, np.uint8)
    register = 0xFFFFFFFF
    for byte in data.tolist():
        register ^= byte
        for _ in range(8):
            register = (register >> 1) ^ (0x82F63B78 if register & 1 else 0)
    assert crc32c(data) == register ^ 0xFFFFFFFF
