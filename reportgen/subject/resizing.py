"""Pictures at the size of the model's input, by the rules of Keras or of Pillow.

`keras.utils.image_dataset_from_directory` resizes by `tf.image.resize`, which looks at the nearest
few pixels only, also where it shrinks. The filters of Pillow (`keras.utils.load_img`, torchvision)
look at all that a new pixel covers. The same file becomes another input, so the rule is declared.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reportgen.config import PILLOW, Interpolation, Resize

PixelArray = NDArray[np.uint8]
Size = tuple[int, int]  # (h, w), also of pictures: Pillow's own order is (w, h)
# These blur also what has the size already: Keras passes it through them as all else.
_BLURRING = frozenset({"gaussian", "mitchellcubic"})
# These sharpen: next to an edge they give values below 0 and above 255.
_OVERSHOOTING = frozenset({"bicubic", "lanczos3", "lanczos5", "mitchellcubic"})
Box = tuple[int, int, int, int]  # left, top, right, bottom


def fit(
    picture: Image.Image, size: Size, policy: Resize, interpolation: Interpolation
) -> PixelArray:
    """Pixels ``(h, w)`` or ``(h, w, c)`` of ``size``.

    A picture that has it stays as it is, but for rules that blur it, as they do in Keras.
    """
    own = (picture.height, picture.width)
    if own == size and interpolation not in _BLURRING:
        return np.asarray(picture)
    whole = (0, 0, picture.width, picture.height)
    if policy == "pad":
        inside, corner = find_place(own, size)
        fits = inside == own != size
        pixels = np.asarray(picture) if fits else _resize(picture, inside, whole, interpolation)
        return _put_on_black(pixels, size, corner)
    box = find_crop(own, size) if policy == "crop" else whole
    return _resize(picture, size, box, interpolation)


def find_crop(own: Size, size: Size) -> Box:
    """The largest box in the middle with the proportions of ``size``.

    As Keras cuts it out, in ``crop_to_aspect_ratio`` as well as in ``keep_aspect_ratio``.
    """
    (height, width), (tall, wide) = own, size
    crop_height = max(1, min(height, width * tall // wide))
    crop_width = max(1, min(width, height * wide // tall))
    left, top = (width - crop_width) // 2, (height - crop_height) // 2
    return left, top, left + crop_width, top + crop_height


def find_place(own: Size, size: Size) -> tuple[Size, Size]:
    """What a picture is shrunk to, to lie on black, and the place of its corner, ``(top, left)``.

    What fits keeps its size (a digit keeps its pixels). The rest is shrunk in float32 and cut to
    whole numbers, as ``pad_to_aspect_ratio`` of Keras does; that enlarges small pictures as well.
    """
    before, canvas = np.array(own, np.float32), np.array(size, np.float32)
    inside = before / max(1, (before / canvas).max())
    # Rounding may make it a little too large. Of a sliver Keras would keep nothing.
    top, left = np.maximum(canvas - inside, 0) // 2
    height, width = np.maximum(inside, 1)
    return (int(height), int(width)), (int(top), int(left))


def describe_resizing(
    sizes: NDArray[np.int64], size: Size, policy: Resize, interpolation: Interpolation
) -> str:
    """What was done to pictures of other sizes, and to how many; empty if to none.

    Args:
        sizes: own ``(h, w)`` of each, ``(n, 2)``.
    """
    larger = (sizes > size).any(axis=1)
    exact = (sizes == size).all(axis=1)
    changed = larger if policy == "pad" else ~exact
    blurred = exact & (interpolation in _BLURRING)
    smaller = ~larger & ~exact & (policy == "pad")
    parts = (
        (changed, _describe_change(size, policy, interpolation)),
        (smaller, "Put on black at their own size, where Keras would enlarge them"),
        (blurred, f"Blurred by {interpolation} at the size that they have, as Keras does"),
    )
    return ". ".join(
        f"{words} ({which.sum():,} of {len(sizes):,} images)"
        for which, words in parts
        if which.any()
    )


def _describe_change(size: Size, policy: Resize, interpolation: Interpolation) -> str:
    by_pillow = interpolation.startswith(PILLOW)
    whose = "load_img" if by_pillow else "image_dataset_from_directory"
    how = {"stretch": "Resized to", "crop": "Cropped and resized to", "pad": "Shrunk to fit"}[
        policy
    ]
    cut = ", but for values beyond 0 and 255, which are cut here" * (interpolation in _OVERSHOOTING)
    return f"{how} {size[0]} x {size[1]} by {interpolation}, as {whose} does{cut}"


def _put_on_black(pixels: PixelArray, size: Size, corner: Size) -> PixelArray:
    ground = np.zeros((*size, *pixels.shape[2:]), np.uint8)
    (top, left), (height, width) = corner, pixels.shape[:2]
    ground[top : top + height, left : left + width] = pixels
    return ground


def _resize(picture: Image.Image, size: Size, box: Box, interpolation: Interpolation) -> PixelArray:
    if interpolation.startswith(PILLOW):
        resample = Image.Resampling[interpolation.removeprefix(PILLOW).upper()]
        return np.asarray(picture.resize(size[::-1], resample, box))
    left, top, right, bottom = box
    return _resize_by_tensorflow(np.asarray(picture)[top:bottom, left:right], size, interpolation)


def _resize_by_tensorflow(pixels: PixelArray, size: Size, method: str) -> PixelArray:
    """As Keras, but for the last step: samples are whole numbers, so its result is rounded."""
    import tensorflow as tf  # only who resizes by its rules needs it

    with tf.device("CPU"):  # where Keras does it: a GPU rounds otherwise, and has less memory
        made = tf.image.resize(pixels.reshape(*pixels.shape[:2], -1), size, method).numpy()
    whole: PixelArray = np.clip(np.rint(made), 0, 255).astype(np.uint8)  # sharpening overshoots
    return whole.reshape(*size, *pixels.shape[2:])
