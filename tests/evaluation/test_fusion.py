"""Vectors of several modalities as one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bioscan5m_hf.evaluation.fusion import Fused, Stacked, averaged, concatenated, standardised, unit


VECTORS = arrays(np.float64, (4, 3), elements=st.floats(-9, 9).filter(lambda number: abs(number) > 1e-3))


@given(VECTORS, VECTORS, st.floats(0.01, 100))
def test_the_length_of_a_modality_does_not_matter(image, dna, factor):
    for fused in (averaged, concatenated):
        assert np.allclose(fused([image, dna]), fused([factor * image, dna]), atol=1e-5)


@given(VECTORS, VECTORS)
def test_side_by_side_both_count_alike(image, dna):
    both = concatenated([image, dna])
    assert both.dtype == np.float32
    assert np.allclose(both @ both.T, unit(image) @ unit(image).T + unit(dna) @ unit(dna).T, atol=1e-5)
    assert np.allclose(averaged([image, image]), unit(image), atol=1e-5)


def test_zeros_stay_and_scikit_learn_agrees():
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    vectors = np.random.default_rng(0).standard_normal((50, 4))
    vectors[3] = 0
    assert np.allclose(unit(vectors), preprocessing.normalize(vectors), atol=1e-6)
    assert np.allclose(standardised(vectors), preprocessing.StandardScaler().fit_transform(vectors), atol=1e-5)
    split = ["test"] * 30 + ["test_unseen"] * 20
    assert np.allclose(standardised(vectors, split)[30:], standardised(vectors[30:]))
    assert np.array_equal(standardised(np.ones((3, 2))), np.zeros((3, 2)))


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"shapes \[\(2, 3\), \(2, 4\)\] cannot be averaged"):
        averaged([np.ones((2, 3)), np.ones((2, 4))])
    with pytest.raises(ValueError, match=r"vectors of \[2, 3\] specimens cannot stand side by side"):
        concatenated([np.ones((2, 3)), np.ones((3, 3))])


def test_vectors_are_joined_and_stacked_where_they_are_read():
    random = np.random.default_rng(0)
    image, dna = (random.standard_normal((20, width)).astype(np.float32) for width in (3, 3))
    for join, width in ((averaged, 3), (concatenated, 6)):
        fused = Fused((image, dna), join)
        assert fused.shape == (20, width)
        assert np.allclose(fused[4:9], join([image, dna])[4:9])
        assert np.allclose(fused[np.array([7, 2])], join([image, dna])[[7, 2]])
    stacked, whole = Stacked((image[:5], image[5:5], image[5:])), image
    assert stacked.shape == whole.shape
    for rows in (slice(3, 8), slice(0, 2), slice(15, 99), slice(7, 7), np.array([19, 0, 5, 4])):
        assert np.array_equal(stacked[rows], whole[rows])
