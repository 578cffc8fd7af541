"""TLS with a broker: trusted CAs, client certificate, and the check that the certificate is of a broker."""

from __future__ import annotations

import ssl

from ..system.tls import check_broker, load_authority, load_own
from .address import BrokerAddress


class CheckedSocket(ssl.SSLSocket):
    """A TLS socket that is closed where its handshake fails, or where a service presents itself as the broker."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
            check_broker(self.getpeercert())
        except OSError:
            self.close()
            raise


def client_context(address: BrokerAddress) -> ssl.SSLContext | None:
    """The TLS settings for a broker; None where its URL is without TLS.

    Trusts the authority of the address, else those of the system or of $SSL_CERT_FILE. ConfigError for a file that
    cannot be used.
    """
    if not address.tls:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if address.ca:
        load_authority(context, address.ca, str(address))
    else:
        context.load_default_certs()
    load_own(context, address.cert, address.key, str(address))
    context.sslsocket_class = CheckedSocket
    return context
