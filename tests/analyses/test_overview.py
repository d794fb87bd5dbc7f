"""The overview: layers, parameters, identical samples and the ledger, against other sources."""

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from reportgen.config import AuditConfig
from reportgen.subject.subject import open_subject


def rows_of(body, id_: str) -> list[tuple]:
    (block,) = [block for block in body.blocks if block.id == id_]
    return list(block.rows)


@pytest.fixture
def survey(subject_of, analyse):
    def run(model, x, y=None, **options):
        return analyse("overview", subject_of(model, x, y, preprocessing="none"), **options)

    return run


def test_the_layer_table_has_the_parameters_of_the_summary(trained, survey, pictures):
    found = survey(trained, *pictures)
    by_name = {row.address: row.parameters for row in found.result.layers}
    text: list[str] = []
    trained.summary(print_fn=lambda page, **_: text.append(page), line_length=80)
    listed = {line.split("(")[0].strip("│ "): line for line in text[0].splitlines()}
    for layer in trained.layers[1:]:
        assert by_name[layer.name] == layer.count_params()
        assert f"{layer.count_params():,}" in listed[layer.name].split()
    assert sum(by_name.values()) == trained.count_params()
    assert found.result.card.parameters == trained.count_params()
    frozen = 2 * 16  # the moving statistics
    assert found.result.trainable_parameters == trained.count_params() - frozen


def test_columns_of_the_first_layer_by_hand(trained, survey, pictures):
    row = rows_of(survey(trained, *pictures).body, "overview-layers")[0]
    flops = 8 * 8 * 8 * (2 * 27 + 2)
    assert row == ("c1", "Conv2D (relu)", "8 × 8 × 8", 224, flops, "3 × 3", 2.0)


def test_a_shared_layer_is_counted_once(survey):
    shared = layers.Dense(4, name="s")
    x = keras.Input((4,))
    model = keras.Model(x, shared(shared(x)))
    found = survey(model, np.eye(4, dtype=np.float32))
    assert [row.parameters for row in found.result.layers] == [20, None]
    assert [row[3] for row in rows_of(found.body, "overview-layers")] == [20, "shared"]
    assert found.result.card.parameters == 20


def test_the_graph_has_a_box_a_layer_with_its_followers(trained, survey, pictures):
    (graph,) = [b for b in survey(trained, *pictures).body.blocks if b.kind == "graph"]
    assert [node.title for node in graph.nodes] == [
        "input",
        "c1",
        "c2",
        "pool",
        "flat",
        "d1",
        "out",
    ]
    assert graph.edges == ((0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6))
    assert "BatchNorm · relu" in graph.nodes[2].detail


def test_a_residual_has_two_arrows(survey):
    x = keras.Input((4,))
    y = layers.Dense(4, name="a")(x)
    model = keras.Model(x, layers.Dense(2, name="out")(layers.Add(name="sum")([x, y])))
    found = survey(model, np.eye(4, dtype=np.float32))
    (graph,) = [b for b in found.body.blocks if b.kind == "graph"]
    assert graph.edges == ((0, 1), (0, 2), (1, 2), (2, 3))


def test_samples_by_class(trained, survey, pictures):
    found = survey(trained, *pictures)
    assert found.result.class_counts == tuple(np.bincount(pictures[1]))


@pytest.mark.parametrize(("broken", "level"), [(0, "pass"), (1, "note"), (4, "warn")])
def test_the_ledger_and_its_share(trained, analyse, tmp_path, broken, level):
    rng = np.random.default_rng(0)
    trained.save(tmp_path / "m.keras")
    for name in ("a", "b", "c"):
        (tmp_path / "images" / name).mkdir(parents=True)
    for i in range(24):
        pixels = rng.integers(0, 256, (10, 10, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / "abc"[i % 3] / f"{i}.png")
    for i in range(broken):
        (tmp_path / "images" / "a" / f"broken{i}.png").write_bytes(b"no picture")
    config = AuditConfig(
        model=tmp_path / "m.keras", images=tmp_path / "images", preprocessing="unit"
    )
    found = analyse("overview", open_subject(config))
    finding = found.findings["inputs.skipped"]
    assert finding.level == level
    assert finding.value == pytest.approx(broken / (24 + broken))
    assert found.result.class_counts == (8, 8, 8)
    if broken:
        ledger = rows_of(found.body, "overview-ledger")
        assert sum(row[1] for row in ledger) == broken
        assert "broken0.png" in ledger[0][2]
