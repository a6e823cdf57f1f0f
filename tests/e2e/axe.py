"""axe-core on a page: what it finds wrong for people who cannot see, hear or use a mouse. Shadow roots are looked into."""

from typing import Any, Final

from tests.e2e.screens import Screen
from tests.helpers.parts import NODE_PACKAGES, NODE_PACKAGES_FOLDER, require

_SCRIPT: Final = NODE_PACKAGES_FOLDER / "axe-core" / "axe.min.js"

_RUN: Final = """async where => (await axe.run(where)).violations.flatMap(({id, help, nodes}) =>
  nodes.map(node => `${id}: ${help}: ${node.html}: ${node.failureSummary}`))"""


async def findings(screen: Screen, where: str | None = None) -> list[str]:
    """One line per finding: rule, what it asks for, node. `where`: a selector of the part to look at, else the page."""
    require(NODE_PACKAGES)
    if not await screen.page.evaluate("'axe' in globalThis"):
        # Evaluated, not added as a tag: the page's policy does not let foreign scripts in.
        await screen.page.evaluate(_SCRIPT.read_text())
    await _settle(screen)
    found: list[Any] = await screen.page.evaluate(_RUN, where or "html")
    return [str(one) for one in found]


async def _settle(screen: Screen) -> None:
    """Contrast is measured on what is drawn: let what moves in come to its end."""
    await screen.page.evaluate("""async () => {
      const rootsIn = root => [...root.querySelectorAll('*')].filter(node => node.shadowRoot)
        .flatMap(node => [node.shadowRoot, ...rootsIn(node.shadowRoot)]);
      const moving = [document, ...rootsIn(document)].flatMap(root => root.getAnimations());
      await Promise.allSettled(moving.map(one => one.finished));
    }""")
