"""The commands about groups of operators. Must not know HTTP or SQL."""

import click

from support_api.cli.running import load_settings, with_services
from support_api.rules.visible import clean_name
from support_api.services import Services


def _checked_name(_context: click.Context, _option: click.Parameter, value: str) -> str:
    name = clean_name(value)
    if not 1 <= len(name) <= 100:
        raise click.BadParameter("expected 1 to 100 characters that can be seen")
    return name


_name = click.argument("name", callback=_checked_name)
_email = click.option("--email", required=True, callback=lambda _context, _option, value: value.strip().lower())


@click.group()
def group() -> None:
    """The groups (departments) that operators are in."""


@group.command("add")
@_name
def group_add(name: str) -> None:
    """Make a group; pages name it by the number that is shown then."""

    async def add(services: Services) -> None:
        made = await services.groups.add(name)
        click.echo(f"Group {made.id} ({made.name}) was added.")

    with_services(load_settings(), add)


@group.command("list")
def group_list() -> None:
    """Show all groups: number, name, the e-mails of the members."""

    async def show(services: Services) -> None:
        emails = {operator.id: operator.email for operator, _ in await services.operators.everybody()}
        for one in await services.groups.everyone():
            click.echo(f"{one.group.id}\t{one.group.name}\t{', '.join(emails[member] for member in one.members)}")

    with_services(load_settings(), show)


@group.command("rename")
@_name
@click.option("--to", "new_name", required=True, callback=_checked_name)
def group_rename(name: str, new_name: str) -> None:
    """Give a group another name."""

    async def rename(services: Services) -> None:
        await services.groups.rename(name, new_name)
        click.echo(f"{name} is {new_name} now.")

    with_services(load_settings(), rename)


@group.command("remove")
@_name
def group_remove(name: str) -> None:
    """Remove a group; its conversations are for everybody from now on."""

    async def remove(services: Services) -> None:
        await services.groups.remove(name)
        click.echo(f"{name} was removed.")

    with_services(load_settings(), remove)


@group.command("join")
@_name
@_email
def group_join(name: str, email: str) -> None:
    """Put an operator into a group."""

    async def join(services: Services) -> None:
        await services.groups.join(name, email)
        click.echo(f"{email} gets the conversations of {name}.")

    with_services(load_settings(), join)


@group.command("leave")
@_name
@_email
def group_leave(name: str, email: str) -> None:
    """Take an operator out of a group; they keep the conversations that they have."""

    async def leave(services: Services) -> None:
        await services.groups.leave(name, email)
        click.echo(f"{email} gets no more conversations of {name}.")

    with_services(load_settings(), leave)
