"""The commands about operators' accounts. Must not know HTTP calls or SQL."""

import sys
from datetime import datetime, timedelta

import click

from support_api.cli.running import load_settings, with_services
from support_api.models.operators import Operator, OperatorStatus, Presence
from support_api.rules.visible import clean_name
from support_api.services import Services
from support_api.services.passwords import MAX_PASSWORD, MIN_PASSWORD, Passwords
from support_api.views.fields import is_email


@click.group()
def operator() -> None:
    """The people who answer."""


_email = click.option("--email", required=True, callback=lambda _context, _option, value: _checked_email(value))
_password = click.option(
    "--password-stdin", is_flag=True, required=True, help="Read the password from the first line of standard input."
)
_limit = click.option("--max-tickets", type=click.IntRange(0, 100), default=5, show_default=True)


@operator.command("add")
@click.option("--name", required=True, callback=lambda _context, _option, value: _checked_name(value))
@_email
@_password
@_limit
def operator_add(name: str, email: str, password_stdin: bool, max_tickets: int) -> None:
    """Make an account."""
    assert password_stdin  # noqa: S101 - click insists on the flag: passwords in arguments show in the list of processes
    password = _read_password()

    async def add(services: Services) -> None:
        made = await services.operators.add(name, email, await Passwords().hash(password), max_tickets)
        click.echo(f"Operator {made.id} ({made.email}) was added.")

    with_services(load_settings(), add)


@operator.command("list", short_help="Show all accounts.")
def operator_list() -> None:
    """Show all accounts. "gone": the panel was left open, or lost its network; no heartbeat for a while."""
    settings = load_settings()
    timeout = timedelta(seconds=settings.operator_timeout)

    async def show(services: Services) -> None:
        for one, presence in await services.operators.everybody():
            state = _state(one, presence, services.database.now() - timeout)
            click.echo(f"{one.id}\t{one.email}\t{one.name}\t{state}\t{presence.active_tickets}/{presence.max_tickets}")

    with_services(settings, show)


def _state(operator: Operator, presence: Presence, heard_after: datetime) -> str:
    if operator.is_disabled:
        return "disabled"
    if presence.status is not OperatorStatus.OFFLINE and presence.last_seen < heard_after:
        return "gone"
    return presence.status


@operator.command("password")
@_email
@_password
def operator_password(email: str, password_stdin: bool) -> None:
    """Set a new password; it ends the operator's sessions."""
    assert password_stdin  # noqa: S101 - see operator add
    password = _read_password()

    async def change(services: Services) -> None:
        await services.operators.set_password(email, await Passwords().hash(password))
        click.echo(f"{email} has a new password and must log in again.")

    with_services(load_settings(), change)


@operator.command("limit")
@_email
@click.option("--max-tickets", type=click.IntRange(0, 100), required=True)
def operator_limit(email: str, max_tickets: int) -> None:
    """Set how many active tickets an operator may have."""

    async def change(services: Services) -> None:
        await services.operators.set_limit(email, max_tickets)
        click.echo(f"{email} gets new tickets below {max_tickets} active ones.")

    with_services(load_settings(), change)


@operator.command("disable", short_help="End an account and its sessions.")
@_email
def operator_disable(email: str) -> None:
    """End an account: no log-in, no session; its active tickets go to somebody else."""

    async def change(services: Services) -> None:
        await services.operators.disable(email)
        click.echo(f"{email} is disabled.")

    with_services(load_settings(), change)


@operator.command("enable")
@_email
def operator_enable(email: str) -> None:
    """Let a disabled account log in again."""

    async def change(services: Services) -> None:
        await services.operators.enable(email)
        click.echo(f"{email} may log in again.")

    with_services(load_settings(), change)


def _read_password() -> str:
    password = sys.stdin.readline().rstrip("\r\n")
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise click.ClickException(f"The password must have {MIN_PASSWORD} to {MAX_PASSWORD} characters.")
    return password


def _checked_email(value: str) -> str:
    email = value.strip().lower()
    if len(email) > 255 or not is_email(email):
        raise click.BadParameter("expected an e-mail address of at most 255 characters")
    return email


def _checked_name(value: str) -> str:
    name = clean_name(value)
    if not 1 <= len(name) <= 100:
        raise click.BadParameter("expected 1 to 100 characters that can be seen")
    return name
