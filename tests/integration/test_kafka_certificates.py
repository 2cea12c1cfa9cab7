"""A broker that asks for certificates is shown ours (mutual TLS)."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from reconciler.service.adapters import kafka_connection
from reconciler.settings import Settings

PASSWORD = "opens the key"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of 127.0.0.1, signed by itself, with its sealed key beside it."""
    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        [x509.NameAttribute(NameOID.COMMON_NAME, "us")],
    )
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(name))
        .issuer_name(x509.Name(name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(here, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    sealed = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(PASSWORD.encode()),
    )
    (tmp_path / "key.pem").write_bytes(sealed)
    (tmp_path / "certificate.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return tmp_path / "certificate.pem"


async def test_our_certificate_is_shown(certificate: Path, tmp_path: Path) -> None:
    """To who asks for it, with the key that the password opens."""
    (tmp_path / "workflows.yaml").touch()
    settings = Settings(
        workflows=tmp_path / "workflows.yaml",
        kafka_security_protocol="SSL",
        kafka_ca_file=str(certificate),
        kafka_certificate_file=str(certificate),
        kafka_key_file=str(certificate.with_name("key.pem")),
        kafka_key_password=SecretStr(PASSWORD),
    )
    asks = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(certificate))
    asks.load_cert_chain(certificate, certificate.with_name("key.pem"), PASSWORD)
    asks.verify_mode = ssl.CERT_REQUIRED
    seen: asyncio.Future[object] = asyncio.get_running_loop().create_future()

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.set_result(writer.get_extra_info("peercert")["subject"])
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=asks)
    port = server.sockets[0].getsockname()[1]
    shown = kafka_connection(settings).arguments()["ssl_context"]
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=shown)
    assert await asyncio.wait_for(seen, 5) == ((("commonName", "us"),),)
    writer.close()
    server.close()
