"""A phone's fingerprint lock in software: makes passkeys and answers challenges, rightly or not."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

USER_PRESENT, USER_VERIFIED, HAS_KEY = 0x01, 0x04, 0x40


def text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def data(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class PhoneLock:
    """One passkey on one phone. Change a field to make it misbehave."""

    origin: str = "http://localhost:8000"
    rp_id: str = "localhost"
    is_verified: bool = True
    counts: bool = True
    count: int = 0
    user: bytes = b""
    id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def create(self, options: str) -> str:
        """What ``navigator.credentials.create`` answers."""
        asked = json.loads(options)
        self.user = data(asked["user"]["id"])
        point = self.key.public_key().public_numbers()
        public = cbor2.dumps(
            {1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")}
        )
        held = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + public
        attested = cbor2.dumps(
            {"fmt": "none", "attStmt": {}, "authData": self._state(HAS_KEY) + held}
        )
        said = self._said("webauthn.create", asked["challenge"])
        return self._answer(clientDataJSON=text(said), attestationObject=text(attested))

    def get(self, options: str) -> str:
        """What ``navigator.credentials.get`` answers."""
        asked = json.loads(options)
        self.count += self.counts
        said, state = self._said("webauthn.get", asked["challenge"]), self._state(0)
        signature = self.key.sign(state + hashlib.sha256(said).digest(), ec.ECDSA(hashes.SHA256()))
        return self._answer(
            clientDataJSON=text(said),
            authenticatorData=text(state),
            signature=text(signature),
            userHandle=text(self.user),
        )

    def _state(self, flags: int) -> bytes:
        flags |= USER_PRESENT | (USER_VERIFIED if self.is_verified else 0)
        return (
            hashlib.sha256(self.rp_id.encode()).digest()
            + bytes([flags])
            + self.count.to_bytes(4, "big")
        )

    def _said(self, kind: str, challenge: str) -> bytes:
        return json.dumps(
            {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        ).encode()

    def _answer(self, **response: Any) -> str:
        return json.dumps(
            {
                "id": text(self.id),
                "rawId": text(self.id),
                "type": "public-key",
                "response": response,
                "clientExtensionResults": {},
            }
        )
