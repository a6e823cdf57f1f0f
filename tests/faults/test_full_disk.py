"""The disk is full, or the database cannot be used: the answer says so, and nothing that is not stored is confirmed."""

import resource
from pathlib import Path

import pytest

from tests.e2e.screens import eventually
from tests.faults.callers import person
from tests.helpers.processes import Process, ProcessFailed
from tests.helpers.product import ANNA, Product, SupportProcess


def limit_files(process: Process, size: int) -> None:
    """Let no file of the process grow beyond `size` bytes, as if its disk were full; RLIM_INFINITY takes that back."""
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def database_log(product: Product) -> Path:
    """The file that SQLite writes first; it is longer than the log for people."""
    return product.database.with_name(f"{product.database.name}-wal")


@pytest.mark.parametrize(
    "is_log_elsewhere", [pytest.param(True, id="the log is elsewhere"), pytest.param(False, id="the log is there, too")]
)
async def test_message_that_a_full_disk_does_not_take_is_refused_and_stored_once_when_there_is_room_again(
    product: Product, is_log_elsewhere: bool
) -> None:
    async with person("Ivan", product) as visitor, person("Anna", product) as operator:
        await operator.log_in(ANNA)
        ticket = await visitor.create("Hello")
        message = {"ticket_id": ticket, "content": "No room", "client_id": "one"}
        limit_files(product.support, database_log(product).stat().st_size if is_log_elsewhere else 1)

        status, answer = await visitor.post("/send_support_message", **message)

        assert status == 503, answer
        assert answer["error"]["code"]
        assert answer["error"]["message"]
        assert product.stored(ticket) == [("visitor", "Hello")]
        status, answer = await visitor.post("/create_ticket", name="Ivan", message="Another")
        assert status == 503, answer
        assert product.rows("SELECT count(*) FROM support_tickets") == [(1,)]
        if is_log_elsewhere:
            assert "disk I/O error" in product.support.output(), "the administrator is told what is wrong"
        limit_files(product.support, resource.RLIM_INFINITY)
        for _ in range(2):
            status, answer = await visitor.post("/send_support_message", **message)
            assert status == 200, answer
    assert product.stored(ticket) == [("visitor", "Hello"), ("visitor", "No room")]
    assert product.rows("PRAGMA integrity_check") == [("ok",)]
    await eventually(lambda: _undelivered(product), 0)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param(b"this is no database, whatever its name says " * 99, "not an SQLite database", id="another file"),
        pytest.param(None, "folder cannot be made", id="no folder"),
    ],
)
def test_desk_that_cannot_use_its_database_does_not_start_and_says_why(
    tmp_path: Path, content: bytes | None, complaint: str
) -> None:
    database = tmp_path / "file"
    database.write_bytes(content or b"")
    desk = SupportProcess(database if content else database / "desk.sqlite3", "http://127.0.0.1:9")

    with pytest.raises(ProcessFailed) as failed:
        desk.start()

    assert complaint in str(failed.value)
    assert str(database) in str(failed.value)
    assert "ended with 1" in str(failed.value)
    assert "Traceback" not in str(failed.value)


async def _undelivered(product: Product) -> int:
    return product.undelivered()
