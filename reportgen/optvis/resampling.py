"""Moving, zooming, turning and blurring images, with gradients.

A map says where each pixel of the new image reads the old one. It is six numbers an image,
``(a, b, c, d, e, f)``: the pixel in column x and row y of the new image reads the old one at
column ``a x + b y + c`` and row ``d x + e y + f``. Whole numbers are the centres of pixels;
between them, values are interpolated linearly in both directions.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from reportgen.optvis.canvas import Canvas

Tensor = Any  # of TensorFlow, which has no types to check
FillMode = Literal["constant", "reflect", "wrap"]
_MARGIN = 8  # of a side: how far beyond the border gradients of mirrored pixels are followed


class Fill(NamedTuple):
    """What lies beyond the border of an image.

    mode: "constant", everything is ``value``; "reflect", the image mirrored, the outermost pixel
    twice (d c b a | a b c d | d c b a, SciPy's "reflect", NumPy's "symmetric"); "wrap", the image
    again (a b c d | a b c d | a b c d, SciPy's "grid-wrap").
    """

    mode: FillMode
    value: float = 0.5


def canvas_of(images: Tensor) -> Canvas:
    """The canvas of images ``(b, h, w, c)``, whose shape is known but for b."""
    return Canvas(*(int(side) for side in images.shape[1:]))


def resample(images: Tensor, maps: Tensor, size: tuple[int, int], fill: Fill) -> Tensor:
    """Images ``(b, h, w, c)`` read through maps ``(b, 6)`` that do not turn (b and d are 0).

    Two matrix products an image, so that the gradient is exact, of whatever zoom and fill; whole
    shifts and mirror images are exact too, but where a GPU multiplies in TensorFloat-32 (10 bits).
    """
    height, width = images.shape[1:3]
    rows = interpolation(maps[:, 5], maps[:, 4], size[0], height, fill.mode)
    columns = interpolation(maps[:, 2], maps[:, 0], size[1], width, fill.mode)
    if fill.mode != "constant":
        return multiply(images, rows, columns)
    # Weights that fall beyond the border are missing: they would count zeros.
    return multiply(images - fill.value, rows, columns) + fill.value


def multiply(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """``rows . image . columns^T`` of each channel: ``(b, h', h)``, ``(b, w', w)`` matrices."""
    import tensorflow as tf

    height, width, channels = images.shape[1:]
    new_height, new_width = rows.shape[1], columns.shape[1]
    tall = tf.matmul(rows, tf.reshape(images, (-1, height, width * channels)))
    # Columns first, so that the second product is as wide as the first: 3 times as fast as
    # a product of each row with its few channels, 2 times as fast as einsum.
    tall = tf.transpose(tf.reshape(tall, (-1, new_height, width, channels)), (0, 2, 1, 3))
    wide = tf.matmul(columns, tf.reshape(tall, (-1, width, new_height * channels)))
    wide = tf.reshape(wide, (-1, new_width, new_height, channels))
    return tf.transpose(wide, (0, 2, 1, 3))


def interpolation(start: Tensor, step: Tensor, count: int, length: int, mode: FillMode) -> Tensor:
    """Weights ``(b, count, length)`` of pixels for readings at ``start + step * i``, ``(b,)``."""
    import tensorflow as tf

    places = start[:, None] + step[:, None] * tf.range(count, dtype=tf.float32)
    if mode == "reflect":
        folded = tf.math.floormod(places + 0.5, 2.0 * length)
        places = tf.clip_by_value(tf.minimum(folded, 2.0 * length - folded) - 0.5, 0.0, length - 1)
    distances = places[:, :, None] - tf.range(length, dtype=tf.float32)
    if mode == "wrap":
        distances = tf.math.floormod(distances + length / 2, float(length)) - length / 2
    return tf.nn.relu(1 - tf.abs(distances))


def project(images: Tensor, maps: Tensor, size: tuple[int, int], fill: Fill) -> Tensor:
    """Images ``(b, h, w, c)`` read through any maps ``(b, 6)``; fill "constant" or "reflect".

    The gradient is not the exact one, which would have to scatter, but that of the inverse map
    divided by the change of area: for turns of up to 30 degrees its cosine with the exact one was
    at least .99 on white noise, also with a zoom by a tenth, .90 with one of 1.5. Gradients of
    mirrored pixels are followed to an eighth of a side beyond the border.
    """
    import tensorflow as tf

    sides = tuple(int(side) for side in images.shape[1:3])
    margin = min(sides) // _MARGIN if fill.mode == "reflect" else 0

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def forward(pictures: Tensor) -> Any:
        def backward(gradients: Tensor) -> Tensor:
            return _spread_back(gradients, maps, sides, margin)

        return _warp(pictures, maps, size, fill), backward

    return forward(images)


def _spread_back(gradients: Tensor, maps: Tensor, sides: tuple[int, ...], margin: int) -> Tensor:
    """Gradients of the new image -> of the old one, its mirrored margins folded back."""
    import tensorflow as tf

    inverse, area = _inverted(maps, margin)
    enlarged = (sides[0] + 2 * margin, sides[1] + 2 * margin)
    spread = _warp(gradients / area[:, None, None, None], inverse, enlarged, Fill("constant", 0))
    if not margin:
        return spread
    paddings = [[0, 0], [margin, margin], [margin, margin], [0, 0]]
    return tf.raw_ops.MirrorPadGrad(input=spread, paddings=paddings, mode="SYMMETRIC")


def _inverted(maps: Tensor, margin: int) -> tuple[Tensor, Tensor]:
    """Maps from an old image with a margin to the new one, and the area a new pixel covers."""
    import tensorflow as tf

    a, b, c, d, e, f = tf.unstack(maps, axis=1)
    area = a * e - b * d
    a, b, d, e = e / area, -b / area, -d / area, a / area
    c, f = c + margin, f + margin
    return tf.stack([a, b, -a * c - b * f, d, e, -d * c - e * f], axis=1), tf.abs(area)


def _warp(images: Tensor, maps: Tensor, size: tuple[int, int], fill: Fill) -> Tensor:
    """One pass over the image, by TensorFlow's own operation."""
    import tensorflow as tf

    channels = images.shape[3]
    warped = tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.pad(maps, [[0, 0], [0, 2]]),
        output_shape=list(size),
        fill_value=fill.value,
        interpolation="BILINEAR",
        fill_mode=fill.mode.upper(),
    )
    return tf.ensure_shape(warped, (None, *size, channels))


def blur(images: Tensor, deviations: Tensor) -> Tensor:
    """Images ``(b, h, w, c)`` through a Gaussian, ``(b,)`` deviations in pixels; 0: unchanged.

    Weights beyond the border are left out and the rest sum to one, so that no border darkens.
    """
    height, width = images.shape[1:3]
    return multiply(images, _gaussian(deviations, height), _gaussian(deviations, width))


def _gaussian(deviations: Tensor, length: int) -> Tensor:
    import tensorflow as tf

    places = tf.range(length, dtype=tf.float32)
    distances = places[:, None] - places
    narrow = tf.maximum(deviations, 1e-3)[:, None, None]  # e^-500000: no neighbour counts
    weights = tf.exp(-0.5 * tf.square(distances / narrow))
    return weights / tf.reduce_sum(weights, axis=2, keepdims=True)
