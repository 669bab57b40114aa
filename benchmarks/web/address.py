"""Where the page is opened: this computer's address in the network, and its QR code."""

from __future__ import annotations

import io
import ipaddress
import socket

from runtimes.errors import InputError

LOOPBACK = "127.0.0.1"
_ELSEWHERE = ("203.0.113.1", 9)  # RFC 5737: nobody's; nothing is sent to it


def own_address() -> str:
    """Returns the address under which others in the network reach this computer.

    Raises:
        InputError: it is in no network.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_ELSEWHERE)  # chooses the route, and with it the address
            found = str(probe.getsockname()[0])
        except OSError:
            found = ""
    if not found or ipaddress.ip_address(found).is_loopback:
        raise InputError(
            "this computer is in no network. Join the phone's Wi-Fi, or name the address: "
            "--network 192.168.1.20"
        )
    return found


def checked_address(text: str) -> str:
    """Returns an IPv4 address of one interface as it is written canonically.

    Raises:
        InputError: it is none, stands for all interfaces, or for none.
    """
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError as error:
        raise InputError(
            f"--network {text}: this is no IPv4 address; expected one of this computer's, such as "
            "192.168.1.20."
        ) from error
    if address.is_unspecified:
        raise InputError(
            f"--network {text}: this would open the page to every network that this computer is "
            "in. Name the address of one."
        )
    if address.is_multicast or address.is_reserved:
        raise InputError(
            f"--network {text}: no computer has this address; expected one of this computer's, "
            "such as 192.168.1.20."
        )
    return str(address)


def qr_code(url: str) -> str:
    """Returns a QR code of half-block characters, white on black on any terminal."""
    import segno

    drawn = io.StringIO()
    segno.make(url, micro=False, error="m").terminal(drawn, border=2, compact=True)
    lines = drawn.getvalue().splitlines()
    return "\n".join(f"\033[97;40m{line}\033[0m" for line in lines)
