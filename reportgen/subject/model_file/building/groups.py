"""The names of groups of weights in a .keras archive or a file of weights of Keras 3.

Keras names the groups after the classes and counts them up: ``conv2d``, ``conv2d_1``. Keras 2.13
counted some layers twice: ``conv2d``, ``conv2d_2``, ``conv2d_4`` are the first three. Since
Keras 3.12 a group also says the name of its layer, and that decides.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from reportgen.subject.model_file.building.naming import pair_names

_LISTS = ("layers", "_layer_checkpoint_dependencies")
_COUNTED = re.compile(r"(.+?)(?:_(\d+))?")
Renamed = dict[str, str]  # path of a group -> its last part


def close_gaps(
    paths: Iterable[str], layers: int, wanted: Mapping[str, Collection[str]] | None = None
) -> Renamed:
    """New names of the groups in lists of layers; nothing where no list has a gap.

    Args:
        layers: of the network; where the outermost list has more groups, nothing is known.
        wanted: by list, the groups that the network looks for. A list that has them is left alone:
            the names of classes may end in numbers, too.
    """
    children: dict[str, set[str]] = {}
    for path in paths:
        parts = path.split("/")
        for place, part in enumerate(parts[:-1]):
            if part in _LISTS:
                children.setdefault("/".join(parts[: place + 1]), set()).add(parts[place + 1])
    outermost = next((children[name] for name in _LISTS if name in children), set())
    if len(outermost) > layers:
        return {}
    renamed: Renamed = {}
    for parent, names in children.items():
        looked_for = (wanted or {}).get(parent.replace(_LISTS[1], _LISTS[0]))
        if looked_for and set(looked_for) <= names:
            continue
        for base, numbers in _by_class(names).items():
            if numbers != list(range(len(numbers))):
                renamed |= {
                    f"{parent}/{_count(base, number)}": _count(base, place)
                    for place, number in enumerate(numbers)
                }
    return renamed


def _by_class(names: Iterable[str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for name in names:
        match = _COUNTED.fullmatch(name)
        if match:
            found.setdefault(match[1], []).append(int(match[2] or 0))
    return {base: sorted(numbers) for base, numbers in found.items()}


def _count(base: str, number: int) -> str:
    return f"{base}_{number}" if number else base


def wanted_groups(model: Any) -> dict[str, list[str]]:
    """By list of layers, the groups that Keras will look for: those of layers with weights."""
    return {
        parent: [place for place, layer in layers if layer.weights]
        for parent, layers in _containers(model, "")
    }


def follow_names(model: Any, said: Mapping[str, str], shapes: Mapping[str, Any]) -> Renamed:
    """New names of groups, so that each layer gets the group that has its name.

    Args:
        said: path of a group -> the name of its layer, as the file says it.
        shapes: path of a group -> the shapes of all arrays in it.

    Raises:
        InputError: see `pair_names`.
    """
    renamed: Renamed = {}
    for parent, layers in _containers(model, ""):
        wanted = {layer.name: (place, layer) for place, layer in layers if layer.weights}
        inside = [path for path in said if path.rpartition("/")[0] == parent and shapes[path]]
        stored = {said[path]: path for path in inside}
        if len(stored) < len(inside) or len(stored) < len(wanted):
            continue  # two layers of one name, or groups without: the order is all there is
        pairs = pair_names(
            {name: _shapes_of(layer) for name, (_, layer) in wanted.items()},
            {name: shapes[path] for name, path in stored.items()},
        )
        renamed |= {
            stored[pairs[name]]: place
            for name, (place, _) in wanted.items()
            if stored[pairs[name]] != f"{parent}/{place}"
        }
    return _without_clashes(renamed, said)


def _containers(model: Any, path: str) -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    """Path of each list of layers, and the layers with the names that Keras gives their groups."""
    from keras.src.utils.naming import to_snake_case  # as Keras names them when it saves

    parent = f"{path}/layers".lstrip("/")
    used: dict[str, int] = {}
    named = []
    for layer in model.layers:
        base = to_snake_case(type(layer).__name__)
        used[base] = used.get(base, -1) + 1
        named.append((_count(base, used[base]), layer))
    yield parent, named
    for place, layer in named:
        inner, path = layer, f"{parent}/{place}"
        while not hasattr(inner, "layers") and hasattr(inner, "layer"):  # TimeDistributed
            inner, path = inner.layer, f"{path}/layer"
        if hasattr(inner, "layers") and hasattr(inner, "inputs"):
            yield from _containers(inner, path)


def find_strangers(arrays: Iterable[str], wanted: Mapping[str, Collection[str]]) -> list[str]:
    """Groups in lists of layers that have arrays of weights and that no layer looks for.

    Args:
        arrays: their paths, such as ``layers/dense_1/vars/0``.
        wanted: see `wanted_groups`.
    """
    found: dict[str, None] = {}
    for path in arrays:
        parts = path.split("/")
        if "seed_generator" in parts:
            continue
        for place, part in enumerate(parts[:-2]):  # an array in a group in a list
            looked_for = wanted.get("/".join(parts[: place + 1])) if part == "layers" else None
            if looked_for is not None and parts[place + 1] not in looked_for:
                found["/".join(parts[: place + 2])] = None
    return list(found)


def _shapes_of(layer: Any) -> tuple[Any, ...]:
    return tuple(sorted(tuple(weight.shape) for weight in layer.weights))


def _without_clashes(renamed: Renamed, said: Mapping[str, str]) -> Renamed:
    """Groups whose place is taken by another move out of its way."""
    taken = {f"{path.rpartition('/')[0]}/{name}" for path, name in renamed.items()}
    moved = {
        path: f"{path.rpartition('/')[2]}_unused" for path in said if path in taken - {*renamed}
    }
    return {**renamed, **moved}


def rename(path: str, renamed: Renamed) -> str:
    """A path with the new names of all its groups."""
    parts = path.split("/")
    return "/".join(
        renamed.get("/".join(parts[: place + 1]), part) for place, part in enumerate(parts)
    )
