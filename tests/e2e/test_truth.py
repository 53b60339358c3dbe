# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Every parent is the true one: the cases of tests/truth, attached before the load and in the middle of it."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

from truth import bed, cases    # noqa: E402



@pytest.mark.limit(240)
@pytest.mark.parametrize("attach", ("before", "during"))
@pytest.mark.parametrize("name", cases.BY_NAME)
def test_truth(name, attach, tracer, folder):
    case = cases.BY_NAME[name]
    result = bed.run(case, tracer, folder, attach, min(case.requests, case.quick))
    print(result.line)
    assert not result.failures, "\n".join([result.line, *result.failures, *result.report.notes])
