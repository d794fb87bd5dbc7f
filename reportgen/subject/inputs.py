"""What a model takes: images, vectors or something else, and in which layout."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from reportgen.errors import ConfigurationError

Kind = Literal["image", "vector", "other"]
_SCALING_LAYERS = frozenset({"Rescaling", "Normalization"})
_ARITHMETIC = frozenset({"add", "subtract", "multiply", "divide", "truediv", "truedivide"})
_GRAPH_ARITHMETIC = frozenset({"Mul", "RealDiv", "Sub"})
# A model that multiplies by less, or takes off more, does so with pixels from 0 to 255: 1 / 255,
# 1 / 127.5, the means of ImageNet. What is made for fractions up to 1 has neither.
_FACTOR_OF_PIXELS = 0.1
_SHIFT_OF_PIXELS = 16.0
_LOOKED_AT = 12  # calls; augmentation may stand before the scaling


@dataclass(frozen=True)
class InputSpec:
    """The model's input.

    shape: of one sample as the model takes it. pixels: the same as ``(h, w, c)`` for images,
    else equal to ``shape``. layout: ``channels_last``, ``channels_first`` or ``no_channel``.
    """

    shape: tuple[int, ...]
    pixels: tuple[int, ...]
    kind: Kind
    layout: Literal["channels_last", "channels_first", "no_channel"] = "channels_last"

    @property
    def channels(self) -> int:
        """Channels of an image; 1 otherwise."""
        return self.pixels[2] if self.kind == "image" else 1

    def arrange(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Scaled pixels ``(n, h, w, c)`` -> what the model takes ``(n, *shape)``."""
        if self.layout == "channels_first":
            return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
        if self.layout == "no_channel":
            return pixels[..., 0]
        return pixels

    def disarrange(self, inputs: NDArray[Any]) -> NDArray[Any]:
        """What the model takes ``(n, *shape)`` -> pixels ``(n, h, w, c)``."""
        if self.layout == "channels_first":
            return np.ascontiguousarray(inputs.transpose(0, 2, 3, 1))
        return inputs[..., None] if self.layout == "no_channel" else inputs


def read_input(model: Any, size: tuple[int, int] | None, *, from_images: bool) -> InputSpec:
    """Read the model's one input.

    Args:
        size: ``(h, w)`` for models that take any size.
        from_images: the samples are image files, so a ``(h, w)`` input is a picture.

    Raises:
        ConfigurationError: several inputs, or a free size that ``size`` does not settle.
    """
    inputs = getattr(model, "inputs", None) or ()
    if not inputs:
        raise ConfigurationError(
            "The model does not say what it takes. Call it once on a sample, then audit it."
        )
    if len(inputs) != 1:
        listed = ", ".join(f"{t.name} {tuple(t.shape[1:])}" for t in inputs)
        raise ConfigurationError(
            f"The model takes {len(inputs)} inputs ({listed}). Only models with one "
            "input are audited yet. Wrap it in a model that fixes the others."
        )
    declared = tuple(inputs[0].shape[1:])
    first = is_channels_first(model, declared)
    if len(declared) == 3:
        shape = _settle(declared, size, (1, 2) if first else (0, 1))
        if first:
            c, h, w = shape
            return InputSpec(shape, (h, w, c), "image", "channels_first")
        return InputSpec(shape, shape, "image")
    if len(declared) == 2 and (from_images or _flattens(model)):
        shape = _settle(declared, size, (0, 1))
        return InputSpec(shape, (*shape, 1), "image", "no_channel")
    shape = _settle(declared, None, ())
    return InputSpec(shape, shape, "vector" if len(shape) == 1 else "other")


def _settle(
    declared: tuple[int | None, ...], size: tuple[int, int] | None, axes: tuple[int, ...]
) -> tuple[int, ...]:
    shape = list(declared)
    for axis, side in zip(axes, size or (), strict=False):
        if shape[axis] is not None and shape[axis] != side:
            raise ConfigurationError(
                f"input-size: the model takes {declared}, not {size[0]}x{size[1]}."  # type: ignore[index]
            )
        shape[axis] = side
    if any(side is None for axis, side in enumerate(shape) if axis not in axes):
        raise ConfigurationError(
            f"The model leaves open what it takes: its input is {declared}, and only height and "
            "width of images can be given. Save the model with a fixed input shape."
        )
    if None in shape:
        raise ConfigurationError(
            f"The model takes any size: its input is {declared}. Say which with "
            "--input-size HxW, for example --input-size 224x224."
        )
    return tuple(int(side) for side in shape)  # type: ignore[arg-type]


def is_channels_first(model: Any, shape: tuple[int | None, ...]) -> bool:
    """Whether an input of that shape, without the batch, has its channels first."""
    for layer in model._flatten_layers():
        if hasattr(layer, "data_format") and "Conv" in type(layer).__name__:
            return bool(layer.data_format == "channels_first")
    return len(shape) == 3 and shape[0] in (1, 3) and shape[2] not in (1, 3, 4)


def _flattens(model: Any) -> bool:
    """Whether a model turns its input over before anything reads it as a sequence."""
    for layer in itertools.islice(_leaves(model.layers), 3):
        kind = type(layer).__name__
        if kind in ("Flatten", "Reshape"):
            return True
        if getattr(layer, "weights", None) and kind not in _SCALING_LAYERS:
            return False
    return False


def _leaves(layers: Iterable[Any]) -> Iterator[Any]:
    """What computes, in order, also inside models that stand in a model; no inputs."""
    for layer in layers:
        if inner := getattr(layer, "layers", None):
            yield from _leaves(inner)
        elif type(layer).__name__ != "InputLayer":
            yield layer


def reads_tokens(calls: Any) -> str | None:
    """Address of an Embedding that takes the input itself; None if there is none."""
    for call in calls:
        if call.class_name == "Embedding" and -1 in call.inputs:
            return str(call.address)
    return None


@dataclass(frozen=True)
class Gain:
    """What plain arithmetic makes of an input: ``factor * x + shift``; of channels the mean."""

    factor: float = 1.0
    shift: float = 0.0

    def then(self, other: Gain) -> Gain:
        """Both, one after the other."""
        return Gain(self.factor * other.factor, self.shift * other.factor + other.shift)

    @property
    def zero(self) -> float:
        """The value of the input that becomes 0, without its sign."""
        return abs(self.shift / self.factor) if self.factor else 0.0

    @property
    def takes_pixels(self) -> bool:
        """Whether it is made for pixels from 0 to 255, and not for fractions up to 1."""
        return 0 < abs(self.factor) < _FACTOR_OF_PIXELS or self.zero > _SHIFT_OF_PIXELS

    @property
    def takes_fractions(self) -> bool:
        """Whether it leaves its input as large as it is or makes it larger, as ``255 * x``."""
        return abs(self.factor) >= 1 and self.zero <= 1

    @property
    def words(self) -> str:
        """What it does, for a reader."""
        if abs(self.factor) < _FACTOR_OF_PIXELS:
            return f"divides its input by {1 / abs(self.factor):.4g}"
        return f"takes {self.zero:.4g} off its input"


def read_gain(calls: Any) -> Gain | None:
    """What is made of the input before anything learnt reads it; None where that cannot be told.

    It cannot of statistics (``Normalization``) and of arithmetic in the code of a subclass.
    """
    known: dict[int, Gain | None] = {-1: Gain()}
    for position, call in enumerate(calls[:_LOOKED_AT]):
        fed = {known.get(source) for source in call.inputs}
        told = len(fed) == 1 and not call.between & _GRAPH_ARITHMETIC
        so_far = fed.pop() if told else None
        if getattr(call.layer, "weights", None) and call.class_name not in _SCALING_LAYERS:
            return so_far
        step = _read_step(call.layer)
        known[position] = so_far.then(step) if so_far and step else None
    return None


def _read_step(layer: Any) -> Gain | None:
    """What one layer or operation makes of its input; nothing if it is none that scales."""
    parts = layer._flatten_layers() if hasattr(layer, "_flatten_layers") else ()
    scaling = [part for part in parts if type(part).__name__ in _SCALING_LAYERS]
    if not scaling:
        return _read_operation(layer) if _is_arithmetic(layer) else Gain()
    if len(scaling) > 1 or type(scaling[0]).__name__ != "Rescaling":
        return None
    return Gain(_mean(scaling[0].scale), _mean(scaling[0].offset))


def _read_operation(layer: Any) -> Gain | None:
    """Of ``x - 127.5``, ``x / 255``, ``2 * x``; None for ``255 / x`` and what has two inputs."""
    operands = _operands(layer)
    if len(operands) != 2 or sum(map(_is_number, operands)) != 1:
        return None
    behind = _is_number(operands[1])
    value = _mean(operands[behind])
    name = _operation(layer)
    if name == "multiply":
        return Gain(value)
    if name == "add":
        return Gain(1.0, value)
    if name == "subtract":
        return Gain(1.0, -value) if behind else Gain(-1.0, value)
    return Gain(1 / value) if behind and value else None


def _operands(layer: Any) -> list[Any]:
    """Both sides of an operation, in order: numbers and arrays, and what stands for tensors."""
    if hasattr(layer, "function"):
        return [*getattr(layer, "arguments", ()), *getattr(layer, "keywords", {}).values()]
    node = layer._inbound_nodes[-1]
    return [*node.arguments.args, *node.arguments.kwargs.values()]


def _mean(value: Any) -> float:
    return float(np.mean(np.asarray(value, dtype=np.float64)))


def scales_inside(calls: Any) -> str | None:
    """Address of what scales the input before anything learnt reads it; None if nothing does.

    A layer of that kind, one inside a wrapper or a pipeline, or plain arithmetic with numbers, as
    in ``x / 255``.
    """
    for call in calls[:_LOOKED_AT]:
        parts = call.layer._flatten_layers() if hasattr(call.layer, "_flatten_layers") else ()
        names = {type(part).__name__ for part in parts}
        bare = -1 in call.inputs and call.between & _GRAPH_ARITHMETIC
        if names & _SCALING_LAYERS or _is_arithmetic(call.layer) or bare:
            return str(call.address)
        if any("kernel" in variable.path for variable in getattr(call.layer, "weights", ())):
            return None
    return None


def _is_arithmetic(layer: Any) -> bool:
    """Whether it moves or scales its input by a stored number or array."""
    import keras

    if isinstance(layer, keras.layers.Layer) and not hasattr(layer, "function"):
        return False
    if _operation(layer) not in _ARITHMETIC:
        return False
    given = [(node.arguments.args, node.arguments.kwargs) for node in layer._inbound_nodes]
    values = keras.tree.flatten((given, getattr(layer, "arguments", [])))
    return any(_is_number(value) for value in values)


def _operation(layer: Any) -> str:
    """Its name: ``subtract``; also of TensorFlow's, as Keras 2 let people write them."""
    return str(getattr(layer, "function", type(layer).__name__)).rpartition(".")[2].lower()


def _is_number(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int | float | np.ndarray) or hasattr(value, "numpy")
