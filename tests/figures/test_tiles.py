import io
import time

import numpy as np
import pytest
from PIL import Image

from reportgen.figures import colour, tiles
from reportgen.report.blocks import ColourScale

SCALE = ColourScale(low=0, high=1, map="viridis")


def opened(encoded: tiles.Encoded) -> Image.Image:
    return Image.open(io.BytesIO(encoded.data))


def test_mosaic_puts_every_tile_in_its_place() -> None:
    three = np.arange(1, 4)[:, None, None] * np.ones((1, 2, 2), int)
    expected = [
        [1, 1, 0, 2, 2],
        [1, 1, 0, 2, 2],
        [0, 0, 0, 0, 0],
        [3, 3, 0, 0, 0],
        [3, 3, 0, 0, 0],
    ]
    assert tiles.mosaic(three, columns=2, gap=0).tolist() == expected


def test_mosaic_has_no_more_columns_than_tiles() -> None:
    assert tiles.mosaic(np.ones((2, 3, 3)), columns=9, gap=0).shape == (3, 7)


def test_average_is_the_mean_over_areas() -> None:
    tile = np.array([[[0.0, 2.0, 4.0, 4.0], [2.0, 4.0, 4.0, 4.0]]])
    assert tiles.average(tile, 2).tolist() == [[[2.0, 4.0]]]


def test_huge_tiles_are_reduced() -> None:
    made = tiles.picture(np.zeros((2, 512, 512)), 2, SCALE, tiles.Encoding())
    assert (made.width, made.height) == (2 * 128 + 1, 128)


def test_screen_keeps_every_pixel_and_clears_the_gap() -> None:
    values = np.array([[[0.0, 1.0]], [[0.5, np.nan]]])
    pixels = np.asarray(opened(tiles.picture(values, 2, SCALE, tiles.Encoding())).convert("RGBA"))
    rows = colour.table("viridis")
    assert pixels[0, 0].tolist() == [*rows[0].tolist(), 255]
    assert pixels[0, 1].tolist() == [*rows[252].tolist(), 255]
    assert pixels[0, 2, 3] == 0
    assert pixels[0, 3].tolist() == [*rows[126].tolist(), 255]
    assert pixels[0, 4].tolist() == [*rows[colour.MISSING].tolist(), 255]


def test_paper_gets_a_palette_png_enlarged_by_whole_pixels() -> None:
    made = tiles.picture(np.array([[[0.0, 1.0]]]), 1, SCALE, tiles.Encoding("paper"))
    image = opened(made)
    assert (image.format, image.mode, image.size) == ("PNG", "P", (16, 8))
    assert (made.width, made.height) == (2, 1)
    left = np.asarray(image.convert("RGB"))[:, :8].reshape(-1, 3)
    assert np.unique(left, axis=0).tolist() == [colour.table("viridis")[0].tolist()]


@pytest.mark.parametrize(("side", "screen", "paper"), [(32, "WEBP", "PNG"), (96, "WEBP", "JPEG")])
def test_photographs_are_encoded_by_size(side: int, screen: str, paper: str) -> None:
    photographs = np.random.default_rng(0).integers(0, 255, (2, side, side, 3)).astype(np.uint8)
    on_screen = tiles.picture(photographs, 2, None, tiles.Encoding())
    assert opened(on_screen).format == screen
    assert on_screen.hard_edges == (side == 32)
    assert opened(tiles.picture(photographs, 2, None, tiles.Encoding("paper"))).format == paper


def test_numbers_without_a_scale_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(1, 4, 4\) need a colour scale"):
        tiles.picture(np.zeros((1, 4, 4)), 1, None, tiles.Encoding())
    with pytest.raises(ValueError, match=r"got \(4, 4\)"):
        tiles.picture(np.zeros((4, 4)), 1, SCALE, tiles.Encoding())


def test_the_same_tiles_give_the_same_bytes() -> None:
    values = np.random.default_rng(0).random((6, 9, 9))
    first, second = (tiles.picture(values, 3, SCALE, tiles.Encoding()) for _ in range(2))
    assert first == second


def test_a_wide_layer_takes_a_tenth_of_a_second() -> None:
    values = np.random.default_rng(0).random((512, 32, 32), np.float32)
    tiles.picture(values[:2], 2, SCALE, tiles.Encoding())
    elapsed = []
    for _ in range(3):
        start = time.thread_time()
        tiles.picture(values, 16, SCALE, tiles.Encoding())
        elapsed.append(time.thread_time() - start)
    # Noise is the worst case for the encoder. 0.06 s of CPU measured; machines are slower.
    assert min(elapsed) < 0.3
