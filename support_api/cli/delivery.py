"""The commands about events on their way to the relay. Must not know the relay or SQL."""

from typing import Final

import click

from support_api.cli.running import load_settings, with_services
from support_api.models.ids import MAX_ID
from support_api.services import Services

# Characters of a refusal that are shown.
REASON: Final = 200


@click.group()
def outbox() -> None:
    """The events on their way to the relay."""


@outbox.command("list", short_help="Show what was set aside, and why.")
def outbox_list() -> None:
    """Show what was set aside because the relay refused it: number, channel, event, bytes of its data, when it was made, when
    it was refused, why. The data itself is private and not shown."""

    async def show(services: Services) -> None:
        for one in await services.outbox.refused():
            times = f"{one.created_at.isoformat()}\t{one.refused_at.isoformat()}"
            click.echo(f"{one.id}\t{one.channel}\t{one.name}\t{one.size}\t{times}\t{_in_one_line(one.reason)}")
        waiting, refused = await services.outbox.counts()
        click.echo(f"{waiting} wait for the relay, {refused} were set aside.", err=True)

    with_services(load_settings(), show)


@outbox.command("retry", short_help="Send again what was set aside.")
@click.argument("numbers", nargs=-1, type=click.IntRange(1, MAX_ID), metavar="[NUMBER]...")
@click.option("--all", "everything", is_flag=True, help="All that was set aside.")
def outbox_retry(numbers: tuple[int, ...], everything: bool) -> None:
    """Send again what was set aside, once the reason is mended. It arrives after the events that have overtaken it."""
    if bool(numbers) == everything:
        raise click.UsageError("Name the numbers of the events, or --all.")

    async def bring_back(services: Services) -> None:
        found = await services.outbox.retry(None if everything else numbers)
        click.echo(f"{len(found)} will be sent again.")
        if missing := sorted(set(numbers) - set(found)):
            raise click.ClickException(f"Not set aside: {', '.join(map(str, missing))}. See: outbox list")

    with_services(load_settings(), bring_back)


@outbox.command("skip", short_help="Set the oldest waiting event aside.")
def outbox_skip() -> None:
    """Set the oldest event that waits aside, where it alone holds up all others."""

    async def skip(services: Services) -> None:
        oldest = await services.outbox.skip("set aside by hand")
        if oldest is None:
            raise click.ClickException("No event waits.")
        click.echo(f"{oldest.id} ({oldest.event.name} on {oldest.event.channel}) was set aside.")

    with_services(load_settings(), skip)


def _in_one_line(text: str) -> str:
    """What somebody else said, so that a terminal shows it and nothing more."""
    return "".join(one if one.isprintable() else " " for one in text)[:REASON]
