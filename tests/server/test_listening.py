"""Sockets: several addresses of one name, free ports, and what is shown of them."""

from __future__ import annotations

import errno
import socket
import stat

import pytest

from foretell.server.listening import Address, addresses_of, is_loopback, listen, listen_at

V4: Address = (socket.AF_INET, ("127.0.0.1", 0))
V6: Address = (socket.AF_INET6, ("::1", 0, 0, 0))


def has_ipv6() -> bool:
    try:
        listen([V6]).close()
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


@needs_ipv6
def test_a_free_port_is_the_same_at_all_addresses():
    listeners = listen([V4, V6])
    ports = {one.getsockname()[1] for one in listeners.sockets}
    (port,) = ports
    assert port > 0
    assert listeners.places == [f"http://127.0.0.1:{port}", f"http://[::1]:{port}"]
    assert listeners.url == f"http://127.0.0.1:{port}"
    for host in ("127.0.0.1", "::1"):
        socket.create_connection((host, port), timeout=30).close()
    listeners.close()


@needs_ipv6
def test_an_address_of_ipv6_alone_is_shown_in_brackets():
    listeners = listen([V6])
    assert listeners.url.startswith("http://[::1]:")
    listeners.close()


def test_an_address_that_the_machine_lacks_is_passed_over_beside_others():
    absent: Address = (socket.AF_INET, ("192.0.2.1", 0))
    for addresses in ([absent, V4], [V4, absent]):
        listeners = listen(addresses)
        assert len(listeners.sockets) == 1
        listeners.close()
    with pytest.raises(OSError, match="no such address") as caught:
        listen([absent])
    assert caught.value.filename == "192.0.2.1:0"


def test_a_port_that_is_taken_is_not_passed_over():
    first = listen([V4])
    port = first.sockets[0].getsockname()[1]
    with pytest.raises(OSError, match="another program") as caught:
        listen([V4, (socket.AF_INET, ("127.0.0.1", port))])
    assert caught.value.errno == errno.EADDRINUSE
    first.close()


def test_all_addresses_are_shown_as_one_that_can_be_asked():
    listeners = listen([(socket.AF_INET, ("0.0.0.0", 0))])
    assert listeners.url.startswith("http://127.0.0.1:")
    assert listeners.places[0].startswith("http://0.0.0.0:")
    listeners.close()


def test_loopback_is_told_by_the_address_and_not_by_the_name():
    assert all(map(is_loopback, addresses_of("localhost", 0)))
    assert is_loopback(V6)
    assert is_loopback((socket.AF_INET, ("127.9.9.9", 0)))
    for host in ("0.0.0.0", "::", "192.0.2.1"):
        assert not any(map(is_loopback, addresses_of(host, 0)))


def test_a_file_is_not_taken_for_a_socket(tmp_path):
    path = tmp_path / "file"
    path.write_text("mine")
    with pytest.raises(OSError, match="in use"):
        listen_at(str(path))
    assert path.read_text() == "mine"


def test_a_unix_socket_leaves_with_its_server(tmp_path):
    path = tmp_path / "socket"
    listeners = listen_at(str(path))
    assert stat.S_ISSOCK(path.stat().st_mode)
    assert (listeners.url, listeners.places) == ("http://localhost", [str(path)])
    with pytest.raises(OSError, match="in use"):
        listen_at(str(path))
    listeners.close()
    assert not path.exists()
