"""Commands, run in this process."""

from click.testing import CliRunner, Result

from support_api import cli

PASSWORD = "long enough"


def run(env: dict[str, str], *arguments: str, stdin: str = "") -> Result:
    return CliRunner().invoke(cli.main, arguments, env=env, input=stdin)


def add(env: dict[str, str], *more: str, email: str = "olga@example.com", password: str = PASSWORD) -> Result:
    return run(
        env, "operator", "add", "--name", "Olga", "--email", email, "--password-stdin", *more, stdin=f"{password}\n"
    )
