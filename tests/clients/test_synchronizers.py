"""mbsync and OfflineIMAP over a few messages, recorded. `run --full` and tests/e2e/test_twoway.py do it with many."""

import unittest

import journey
import test_twoway


class Synchronizers(journey.Journey, test_twoway.TwoWay):
    messages = 18  # two for each folder
    rounds = 1

    def setUp(self):
        test_twoway.TwoWay.setUp(self)

    def port(self):
        name = self.id().rpartition("_")[2]
        return self.record({"mbsync": "mbsync-1.4.4", "offlineimap": "offlineimap-8.0.0"}[name])


if __name__ == "__main__":
    unittest.main()
