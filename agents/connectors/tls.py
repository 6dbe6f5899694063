"""Certificates: the usual authorities, and one of one's own where a far side is private."""

import ssl

from agents.connectors.fields import Problem


def tls_context(pem: str | None, problems: list[Problem]) -> ssl.SSLContext | None:
    """A context that trusts the usual authorities and `pem`; None for the usual alone. A faulty `pem` is a problem."""
    if not pem:
        return None
    if not pem.isascii():
        odd = next(character for character in pem if not character.isascii())
        problems.append(Problem("ca_certificate", f"no certificate in PEM holds {odd!r}", "Paste BEGIN to END alone."))
        return None
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(cadata=pem)
    except (ssl.SSLError, ValueError):
        problems.append(Problem("ca_certificate", "it is not a certificate in PEM", "Paste it with its BEGIN and END."))
    return context
