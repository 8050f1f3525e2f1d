"""Rows of data sets, by what they are for. The list of a hub's sets is a fact like any other: ids, subsets, splits, columns."""
