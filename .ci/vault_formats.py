"""Reads a vault's files by their documented formats alone, with none of vaultd's code.

From a key export to the raw key of a database: age file, storage key, key table, data key, sealed
head, salt. The layouts stand in daemon/crypto/src/key_table.rs, envelope.rs and database_key.rs,
and in daemon/store/src/databases/head.rs.
"""

import hmac
import json
import struct

import pyrage
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_decrypt as xchacha20poly1305_open


def hkdf_sha256(key, salt, info):
    """RFC 5869, the first 32 bytes."""
    extracted = hmac.digest(salt, key, "sha256")
    return hmac.digest(extracted, info + b"\x01", "sha256")


def opened_export(file, passphrase):
    """Vault id and storage key of a file of `vaultctl key export`."""
    line = json.loads(pyrage.passphrase.decrypt(file.read_bytes(), passphrase))
    assert line["format"] == 1, line["format"]
    return bytes.fromhex(line["vault_id"]), bytes.fromhex(line["storage_key"])


def key_table(root, vault_id, storage_key):
    """The data keys: key id → (purpose, key). Of the two copies, the newer one."""
    copies = [(root / name).read_bytes() for name in ("keys.a", "keys.b")]
    newest = max(copies, key=lambda copy: struct.unpack_from("<Q", copy, 24))
    header, sealed = newest[:64], newest[64:]
    assert header[:8] == b"\x89VKT\x01\x01\0\0" and header[8:24] == vault_id
    fingerprint = hkdf_sha256(storage_key, vault_id, b"vaultd storage key fingerprint v1")
    assert header[32:40] == fingerprint[:8], "wrapped by another storage key"
    nonce = header[40:]
    key = hkdf_sha256(storage_key, nonce, b"vaultd key table v1 wrapping key")
    entries = xchacha20poly1305_open(sealed, header, nonce, key)
    keys, at = {}, 0
    while at < len(entries):
        key_id, length = struct.unpack_from("<8sH", entries, at)
        end = at + 10 + length
        keys[key_id] = entries[at + 10 : end].decode(), entries[end : end + 32]
        at = end + 32
    return keys


def opened_body(envelope, keys, vault_id, store, object_id):
    """The body of an envelope at its address, and the data key that opened it."""
    header = envelope[:92]
    magic, key_id, revision, nonce, commitment, metadata, body = struct.unpack(
        "<8s8sQ24s32sIQ", header
    )
    assert magic == b"\x89VLT\x01\x01\0\0" and len(envelope) == 92 + metadata + body
    _, data_key = keys[key_id]
    assert hkdf_sha256(data_key, nonce, b"vaultd envelope v1 key commitment") == commitment
    address = header + vault_id
    for part in (store, object_id):
        address += struct.pack("<Q", len(part)) + part
    address += struct.pack("<QB", revision, 2)
    key = hkdf_sha256(data_key, nonce, b"vaultd envelope v1 body key")
    plaintext = xchacha20poly1305_open(envelope[92 + metadata :], address, nonce, key)
    return json.loads(plaintext), data_key


class DatabaseFile:
    """Where a database lies in a data root, and what SQLCipher takes to open it."""

    def __init__(self, root, export, passphrase, name):
        vault_id, storage_key = opened_export(export, passphrase)
        self.keys = key_table(root, vault_id, storage_key)
        catalogue, _ = opened_body(
            (root / "catalogue").read_bytes(), self.keys, vault_id, b"catalogue", b"catalogue"
        )
        (store,) = (store for store in catalogue["stores"] if store["name"] == name)
        assert (store["kind"], store["protection"]) == ("database", "protected"), store
        self.folder = root / "stores" / store["id"]
        head = (self.folder / "head").read_bytes()
        content, self.data_key = opened_body(
            head, self.keys, vault_id, store["id"].encode(), b"database"
        )
        self.path = self.folder / content["file"]
        self.salt = bytes.fromhex(content["salt"])
        self.beginning = bytes.fromhex(content["beginning"])

    def raw_key(self):
        key = hkdf_sha256(self.data_key, self.salt, b"vaultd database v1")
        return f"x'{key.hex()}'"
