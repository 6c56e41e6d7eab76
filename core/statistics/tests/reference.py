"""Prints the numbers that the tests of this crate compare with.

Made with Python 3.11, scipy 1.17.1, numpy 2.4.6. scipy.stats.bootstrap draws with the generator
of this crate here, so that the intervals agree to the last digits and not only about.

    pip install scipy==1.17.1 numpy
    python core/statistics/tests/reference.py
"""

import numpy as np
from scipy import special, stats

MASK = (1 << 64) - 1


class SplitMix64(np.random.RandomState):
    """Draws as `Random::below` does: rounds of `limit` numbers, an incomplete one left out."""

    def __init__(self, seed):
        super().__init__(0)
        self.state = seed

    def number(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        mixed = self.state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & MASK
        return mixed ^ (mixed >> 31)

    def randint(self, low, high=None, size=None, dtype=int):
        assert low == 0
        complete = MASK - MASK % int(high)
        drawn = np.empty(size, dtype=np.int64)
        for place in np.ndindex(*drawn.shape):
            number = self.number()
            while number >= complete:
                number = self.number()
            drawn[place] = number % int(high)
        return drawn


# Sums of these are exact, in whichever order they are added: means are then equal or not in every
# program alike.
SAMPLES = {
    "drops": [n / 128 for n in [40, 56, 15, 68, 35, 51, 6, 78, 42, 37, 61, 46]],
    "skewed": [n / 128 for n in [1, 2, 3, 4, 6, 10, 17, 44, 114]],
    "signed": [-1.5, 2.25, 0.5, -0.75, 3.0],
    "pair": [0.25, 0.75],
}
for name, values in SAMPLES.items():
    for seed, resamples, confidence in [(1, 9999, 0.95), (7, 2000, 0.9)]:
        found = stats.bootstrap(
            (np.array(values),),
            np.mean,
            n_resamples=resamples,
            confidence_level=confidence,
            method="BCa",
            random_state=SplitMix64(seed),
        ).confidence_interval
        low, high = float(found.low), float(found.high)
        print(f"{name}, seed {seed}, {resamples} resamples, {confidence}: {low!r}, {high!r}")
for share in [1e-300, 1e-9, 0.025, 0.5, 0.84, 0.999]:
    print(f"({share!r}, {float(special.ndtri(share))!r}),")
