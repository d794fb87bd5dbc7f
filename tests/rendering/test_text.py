import pytest

from reportgen import text


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("plain", "plain"),
        ("a\u202egpj.exe", "a[U+202E]gpj.exe"),
        ("\ud800", "[U+D800]"),
        ("a\x00b\x1b[1m", "a[U+0000]b[U+001B][1m"),
        ("two\nlines\t.", "two lines ."),
        ("猫é", "猫é"),
    ],
)
def test_printable_makes_the_invisible_visible(given: str, shown: str) -> None:
    assert text.printable(given) == shown
    shown.encode()


def test_a_megabyte_is_cut() -> None:
    assert len(text.printable("x" * 1_000_000)) == text.LONGEST_TEXT
    assert text.printable("x" * 50, 10) == "x" * 9 + "…"
    assert text.printable("\u202e" * 1_000_000, 20).endswith("…")


def test_names_keep_both_ends() -> None:
    assert text.name("block1_convolution_kernel_7", 11) == "block…nel_7"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (1234, "1234"),
        (1_234_567, "1\u202f234\u202f567"),
        (0.123456, "0.1235"),
        (1.0, "1"),
        (-2.5, "\u22122.5"),
        (1e-7, "1.00e\u22127"),
        (0.5, "0.5"),
        (123.456, "123.5"),
        (10, "10"),
        (100.0, "100"),
        (2_500_000.5, "2.50e6"),
    ],
)
def test_numbers(value: float, shown: str) -> None:
    assert text.number(value) == shown


def test_units() -> None:
    assert text.file_size(999) == "999 bytes"
    assert text.file_size(4_213_004) == "4.2 MB"
    assert text.percent(0.7131) == "71.3\u202f%"
    assert text.percent(0.0001) == "< 0.1\u202f%"
    assert text.percent(0.99999) == "> 99.9\u202f%"
    assert text.duration(200) == "3 min 20 s"
    assert text.shape((None, 32, 32, 3)) == text.shape((32, 32, 3)) == "32 × 32 × 3"
    assert text.moment("2026-03-01T12:00:00+00:00") == "2026-03-01 12:00 UTC"
    assert text.moment("yesterday") == "yesterday"
