"""What is said of age and gender, and which age a distribution stands for."""

import json

import numpy as np
import pytest

from inference.types import AGE_COVERAGE, AGES, MINOR_DOUBT, Detection, Face, age_range, central_age
from synthetic import years


class TestAgesOfADistribution:
    def test_central_age(self):
        distributions = np.concatenate(
            [years(31, 0, 100), (years(30) + years(31)) / 2, (years(10) + 3 * years(50)) / 4]
        )
        # The median of two equally likely neighbours is where the first year ends.
        assert central_age(distributions) == pytest.approx([31, 0, 100, 30.5, 50 - 0.5 + 1 / 3], abs=1e-4)

    def test_age_range(self):
        even = np.full(AGES, 1 / AGES)
        first, last = age_range(even)
        assert (first, last) == (10, 90) and even[first : last + 1].sum() >= AGE_COVERAGE
        assert age_range(years(31)[0]).tolist() == [31, 31]
        tails = 0.88 * years(40)[0] + 0.06 * years(20)[0] + 0.06 * years(60)[0]
        assert age_range(tails).tolist() == [40, 40]
        assert age_range(tails, coverage=0.9).tolist() == [20, 60]

    @pytest.mark.parametrize("minor, first", [(MINOR_DOUBT - 0.01, 20), (MINOR_DOUBT + 0.01, 17)])
    def test_a_range_lies_from_adult_up_only_where_a_minor_is_improbable(self, minor, first):
        distribution = minor * years(10)[0] + (1 - minor) * years(*range(20, 30)).mean(axis=0)
        assert MINOR_DOUBT < 0.1 and age_range(distribution).tolist() == [first, 28]

    def test_averages_give_consistent_answers(self):
        """A tracker averages distributions: the range of the average is not the average of the ranges."""
        average = (years(20) + years(40)) / 2
        assert age_range(average)[0].tolist() == [20, 40] and central_age(average)[0] == pytest.approx(20.5, abs=1e-3)


def face(distribution=None, gender=None) -> Face:
    detection = Detection((0, 0, 90, 90), 0.9, (30, 40), (60, 40))
    return Face(detection, np.zeros((48, 48), np.uint8), np.eye(7)[3], None, None, distribution, gender)


class TestWords:
    def test_not_asked_for(self):
        nobody = face()
        assert (
            nobody.age is nobody.age_range is nobody.age_words is nobody.apparent_gender is nobody.gender_words is None
        )
        assert not nobody.age_sure and not nobody.gender_sure
        assert not {"age", "age_range", "gender", "apparent_gender"} & set(nobody.to_dict())

    def test_sure(self):
        woman = face(years(*range(31, 40)).mean(axis=0), np.array([0.87, 0.13], np.float32))
        assert woman.age_words == "apparent age 31 to 39" and woman.gender_words == "apparent gender: woman 0.87"
        fields = woman.to_dict()
        assert fields["age"] == pytest.approx(35, abs=0.1) and fields["age_range"] == [31, 39] and fields["age_sure"]
        assert fields["apparent_gender"] == "female" and fields["gender_sure"]
        assert fields["gender"] == {"female": 0.87, "male": 0.13} and len(fields["age_distribution"]) == AGES
        json.dumps(fields)

    def test_not_sure(self):
        unsure = face(years(*range(10, 89)).mean(axis=0), np.array([0.4, 0.6], np.float32))
        assert unsure.age_words == "apparent age: not sure, 17 to 81" and not unsure.age_sure
        assert unsure.gender_words == "apparent gender: not sure" and unsure.apparent_gender == "male"

    def test_children(self):
        boy, baby = face(years(9)[0], np.array([0.1, 0.9])), face(years(0)[0], np.array([0.95, 0.05]))
        assert boy.gender_words == "apparent gender: boy 0.90" and baby.gender_words == "apparent gender: girl 0.95"
        assert boy.age_words == "apparent age 9"
