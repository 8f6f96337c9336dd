"""Changed copies of a connection's peer, for one request."""

from edgerouter.http.message import Peer


def changed_peer(
    peer: Peer, *, ip: str | None = None, appends_forwarded_for: bool | None = None
) -> Peer:
    """Return a copy of ``peer`` with another address, or one that servers do not see appended."""
    copy = Peer(
        peer.ip if ip is None else ip,
        peer.port,
        peer.entrypoint,
        trusted=peer.trusted,
        tls=peer.tls,
    )
    copy.appends_forwarded_for = (
        peer.appends_forwarded_for if appends_forwarded_for is None else appends_forwarded_for
    )
    copy.hop = peer.hop
    copy.look = peer.look
    return copy
