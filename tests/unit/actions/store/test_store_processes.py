"""The store under several processes: what threads of one process cannot show."""

from tests.processes import in_processes, meet
from tests.unit.actions.making import make_request, make_status

from licet.actions.store.actions import ActionStore
from licet.db.engine import Database


def submit(url: str) -> list[tuple[str, bool]]:
    """The ids of twenty requests' actions, and whether this process created each."""
    database = Database(url)
    store = ActionStore("unit", lambda: database)
    store.get("warm up")
    meet()
    found = [store.submit(make_request(f"r-{n}"), make_status()) for n in range(20)]
    database.close()
    return [(each.status.action_id, each.created) for each in found]


def test_processes_agree_on_one_action(database: Database):
    """Several processes that submit the same requests at once create each action once."""
    url = database.url.render_as_string(hide_password=False)

    answers = in_processes(submit, *[(url,)] * 3)

    for submissions in zip(*answers, strict=True):
        assert len({action_id for action_id, _ in submissions}) == 1
        assert sum(created for _, created in submissions) == 1
