"""The number of statements does not depend on how long the page is."""

import pytest
from tests.unit.rest.jsonapi.conference import Event, File, Speaker, Talk

INCLUDES = "event.parent.parts,speakers.talks,files"


@pytest.fixture
def crowded(conference):
    """200 talks of 20 events, with speakers and files."""
    conference.add(*(Event(id=n, name=f"e{n}", owner="ann", parent_id=1) for n in range(10, 30)))
    speakers = [Speaker(id=n, name=f"s{n}") for n in range(10, 20)]
    talks = [
        Talk(
            id=n,
            event_id=10 + n % 20,
            title=f"t{n}",
            state="shown",
            creator="cid",
            speakers=[speakers[n % 10]],
            files=[File(path="x")] if n % 2 else [],
        )
        for n in range(10, 210)
    ]
    conference.add(*talks)
    return conference


@pytest.mark.parametrize("caller", ["nobody", "cid", "root"])
def test_statements_are_constant_from_1_to_200_rows(crowded, caller):
    """A page of 200 with includes of depth three takes as many statements as a page of one."""
    counts = []
    for size in (1, 20, 200):
        query = {"include": INCLUDES, "sort": "-event.name", "page[size]": str(size)}
        with crowded.counted() as statements:
            found = crowded.get("/v1/talks", caller, **query)
        assert len(found["data"]) == size
        counts.append(len(statements))
    # one fewer where all talks of the included speakers are on the page itself
    assert 14 >= counts[0] >= counts[1] >= counts[2] >= counts[0] - 1


def test_a_list_without_includes_takes_two_statements(crowded):
    """One for the page, with masks and links, and one for the count."""
    with crowded.counted() as statements:
        crowded.get("/v1/talks", "cid", **{"filter[title]": "t20", "sort": "title"})
    assert len(statements) == 2
