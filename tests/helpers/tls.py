"""Certificates for tests, made by openssl."""

import subprocess
from pathlib import Path


def make_certificate(certificate: Path, key: Path, name: str = "first") -> None:
    """Write a self-signed certificate for 127.0.0.1 and its key."""
    subject = ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    target = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(
        ["openssl", "req", "-x509", "-days", "2", *curve, *subject, *target], check=True, capture_output=True
    )
