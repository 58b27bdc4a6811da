"""Reads Parquet that Lockgate wrote, with PyArrow and the project's local key store.

    pip install pyarrow cryptography
    python lockgate_kms.py PROJECT FILE.parquet

The file's key metadata is in the form of the Parquet key tools. It names a key of the project's key table, which lies
wrapped beside the ledger; the key-encryption key that unwraps it lies in the key store. docs/formats/key-hierarchy.md
specifies both. This client reads key stores without a passphrase.
"""

import base64
import json
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


def from_base64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def fields(*values):
    """Each value after its length, in four bytes, big-endian."""
    return b"".join(len(value).to_bytes(4, "big") + value for value in values)


class LocalKeys:
    """The keys of a project's encrypted files, by id."""

    def __init__(self, keys, ledger, project):
        store = json.loads((Path(keys) / "keys.json").read_text())["keys"]
        self._keks = {kek["version"]: from_base64url(kek["material"]) for kek in store["keks"]}
        table = json.loads((Path(ledger) / "key-table.json").read_text())
        self._keys = {key["id"]: key for key in table["keys"] if "files" in key["scope"]}
        self._project = project

    def master_key(self, key_id):
        key = self._keys[key_id]
        if key["wrapped"] is None:
            raise PermissionError(f"key {key_id} was shredded: what it protected can no longer be read")
        wrapped = from_base64url(key["wrapped"])
        scope = key["scope"]["files"]
        context = [b"files", self._project.encode(), scope["dataset"].encode(), scope["level"].encode()]
        associated = wrapped[:2] + fields(*context, bytes.fromhex(key_id))
        return AESGCM(self._keks[key["kek_version"]]).decrypt(wrapped[2:14], wrapped[14:], associated)


class LockgateKms(pe.KmsClient):
    """Unwraps the keys of files; Lockgate alone writes."""

    def __init__(self, keys):
        super().__init__()
        self._keys = keys

    def wrap_key(self, key_bytes, master_key_identifier):
        raise NotImplementedError("files are written by lockgate")

    def unwrap_key(self, wrapped_key, master_key_identifier):
        wrapped = base64.b64decode(wrapped_key)
        master = AESGCM(self._keys.master_key(master_key_identifier))
        return master.decrypt(wrapped[:12], wrapped[12:], master_key_identifier.encode())


def decryption_properties(keys):
    factory = pe.CryptoFactory(lambda _: LockgateKms(keys))
    return factory.file_decryption_properties(pe.KmsConnectionConfig(), pe.DecryptionConfiguration())


def read(path, keys):
    """The table in an encrypted file."""
    return pq.ParquetFile(path, decryption_properties=decryption_properties(keys)).read()


if __name__ == "__main__":
    folder, path = Path(sys.argv[1]), sys.argv[2]
    name = next(
        line.split(":", 1)[1].split("#")[0].strip()
        for line in (folder / "lockgate.yaml").read_text().splitlines()
        if line.startswith("project:")
    )
    keys = LocalKeys(folder / ".lockgate/keys", folder / ".lockgate/ledger", name)
    for row in read(path, keys).to_pylist():
        print(json.dumps(row, default=str, ensure_ascii=False))
