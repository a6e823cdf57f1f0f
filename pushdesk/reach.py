"""Whether a process can be reached from other machines, as far as its settings tell: there, the secrets of a first try do
not do. Where it listens is one sign of several, since what listens on loopback may stand behind a proxy.

Must not know the settings of either process, nor what follows from the answer.
"""

from collections.abc import Iterable, Mapping, Sized
from urllib.parse import urlsplit

from pushdesk.addresses import is_loopback
from pushdesk.origins import ANY, NO_ORIGIN


def sign_of_outside(
    *,
    hosts: Mapping[str, str],
    proxies: Mapping[str, Sized],
    urls: Mapping[str, str],
    origins: Mapping[str, Iterable[str]],
    certificates: Mapping[str, str],
) -> str | None:
    """What says that other machines reach a process, for people, beginning with the setting's name; None: nothing does.

    Everything by the names of the settings. `hosts`: addresses that are listened on. `proxies`: networks of reverse proxies
    that are trusted. `urls`: where others reach it, or it them. `origins`: entries of lists whose pages may call.
    `certificates`: files for TLS.
    """
    signs = [f"{name}: {host} is not a loopback address" for name, host in hosts.items() if not is_loopback(host)]
    signs += [f"{name}: a reverse proxy brings requests from outside" for name, trusted in proxies.items() if trusted]
    signs += [f"{name}: {url} is not this machine alone" for name, url in urls.items() if not _is_local_url(url)]
    signs += [
        f"{name}: pages of {'any site' if entry == ANY else entry} are let in"
        for name, entries in origins.items()
        for entry in entries
        if not _is_local_entry(entry)
    ]
    signs += [f"{name}: TLS is for others than this machine" for name, file in certificates.items() if file]
    return next(iter(signs), None)


def _is_local_url(url: str) -> bool:
    return _is_local(urlsplit(url).hostname or "")


def _is_local_entry(entry: str) -> bool:
    """Whether an entry of a list of origins names pages of this machine, or none: pages of `*` may be anywhere."""
    if entry == NO_ORIGIN:
        return True
    host = entry.removeprefix("*.")
    return _is_local_url(host if "://" in host else f"//{host}")


def _is_local(host: str) -> bool:
    """RFC 6761 6.3: what ends in .localhost is this machine too."""
    return is_loopback(host) or host.endswith(".localhost")
