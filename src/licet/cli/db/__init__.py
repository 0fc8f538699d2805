"""``licet db`` and ``flask db``: the migrations of licet's tables and of the app's."""

from __future__ import annotations

import click

from licet.cli.db.checking import check_command, rehearse_command
from licet.cli.db.copying import dump_command, restore_command
from licet.cli.db.moving import current_command, downgrade_command, heads_command, upgrade_command
from licet.cli.db.standing import history_command, stamp_command
from licet.cli.db.writing import init_command, migrate_command, revision_command

__all__ = ["db"]


@click.group()
def db() -> None:
    """Migrate, check and copy licet's tables and the app's."""


for _command in (
    check_command,
    current_command,
    downgrade_command,
    dump_command,
    heads_command,
    history_command,
    init_command,
    migrate_command,
    rehearse_command,
    restore_command,
    revision_command,
    stamp_command,
    upgrade_command,
):
    db.add_command(_command)
