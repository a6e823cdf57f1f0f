"""The commands about groups."""

from tests.support_api.cli.commands import add, run


def test_a_group_is_made_filled_listed_renamed_and_removed(env: dict[str, str]) -> None:
    add(env)
    assert "Group 1 (Sales) was added." in run(env, "group", "add", "Sales").output
    assert run(env, "group", "join", "Sales", "--email", " OLGA@example.com").exit_code == 0
    assert run(env, "group", "list").output == "1\tSales\tolga@example.com\n"
    assert run(env, "group", "rename", "Sales", "--to", "Shop").exit_code == 0
    assert run(env, "group", "leave", "Shop", "--email", "olga@example.com").exit_code == 0
    assert run(env, "group", "list").output == "1\tShop\t\n"
    assert run(env, "group", "remove", "Shop").exit_code == 0
    assert run(env, "group", "list").output == ""


def test_what_cannot_be_done_is_said_in_one_line(env: dict[str, str]) -> None:
    run(env, "group", "add", "Sales")
    assert run(env, "group", "add", "Sales").output.startswith("Error: 'name' must be one that no other group has")
    assert run(env, "group", "join", "Sales", "--email", "no@example.com").exit_code == 1
    assert run(env, "group", "remove", "None").output == "Error: There is no group with the name None.\n"
    assert run(env, "group", "add", " \u200b").exit_code == 2
