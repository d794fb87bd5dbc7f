"""Every number of the census beside the report."""

import numpy as np

from reportgen.analyses.feature_maps.census_arrays import COLUMNS, tabulate


def test_a_table_for_each_layer(trained, subject_of, pictures):
    x, y = pictures
    census = subject_of(trained, x, y, preprocessing="unit").census
    tables = tabulate(census)
    assert len(tables) == len(census.layers)
    for layer, (key, table) in zip(census.layers, tables.items(), strict=True):
        assert layer.address in key
        assert table.shape == (len(layer.mean), len(COLUMNS))
        columns = dict(zip(COLUMNS, table.T, strict=True))
        np.testing.assert_array_equal(columns["mean"], layer.mean)
        np.testing.assert_array_equal(columns["high"], layer.high)
        if layer.units:
            np.testing.assert_array_equal(columns["r"], layer.units.selectivity.r)
            np.testing.assert_array_equal(columns["nearest"], layer.units.nearest)
        else:
            assert np.isnan(columns["r"]).all()
