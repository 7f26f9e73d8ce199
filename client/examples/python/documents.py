"""Reach vaultd from Python: store a conversation, read it back, change it, see a typed error.

Needs grpcio and the code that grpcio-tools makes from proto/:

    python -m grpc_tools.protoc -I proto -I $(python -c 'import grpc_tools, os; \
print(os.path.join(os.path.dirname(grpc_tools.__file__), "_proto"))') \
        --python_out=gen --grpc_python_out=gen proto/vault/v1/*.proto
    PYTHONPATH=gen python client/examples/python/documents.py SOCKET
"""

import json
import sys

import grpc
from google.rpc import error_details_pb2, status_pb2

from vault.v1 import documents_pb2, documents_pb2_grpc
from vault.v1 import stores_pb2, stores_pb2_grpc
from vault.v1 import vault_pb2, vault_pb2_grpc

STORE = "examples/python"


def reason(error: grpc.RpcError) -> tuple[str, dict[str, str]]:
    """The stable reason of a failed call, and what it asks to be known."""
    for key, value in error.trailing_metadata():
        if key == "grpc-status-details-bin":
            for detail in status_pb2.Status.FromString(value).details:
                info = error_details_pb2.ErrorInfo()
                if detail.Unpack(info) and info.domain == "vaultd":
                    return info.reason, dict(info.metadata)
    return "", {}


def main(socket: str) -> None:
    # The authority is not looked up, but HTTP/2 wants a plain one.
    options = [("grpc.default_authority", "vaultd.local")]
    with grpc.insecure_channel(f"unix:{socket}", options=options) as channel:
        vault = vault_pb2_grpc.VaultStub(channel)
        stores = stores_pb2_grpc.StoresStub(channel)
        documents = documents_pb2_grpc.DocumentsStub(channel)

        status = vault.Status(vault_pb2.StatusRequest())
        print("key:", vault_pb2.KeyState.Name(status.key_state))

        stores.Create(stores_pb2.CreateStoreRequest(name=STORE))
        body = json.dumps({"messages": ["hello from Python"]}).encode()
        put = documents.Put(
            documents_pb2.PutDocumentRequest(store=STORE, id="first", body=body)
        )
        print("put: revision", put.head.revision)

        got = documents.Get(documents_pb2.GetDocumentRequest(store=STORE, id="first"))
        print("get:", json.loads(got.body))

        documents.Patch(
            documents_pb2.PatchDocumentRequest(store=STORE, id="first", patch=b'{"read":true}')
        )
        heads = [
            listed.head
            for page in documents.List(documents_pb2.ListDocumentsRequest(store=STORE))
            for listed in page.documents
        ]
        print("list:", [(head.id, head.revision) for head in heads])

        try:
            documents.Put(
                documents_pb2.PutDocumentRequest(
                    store=STORE,
                    id="first",
                    body=b"{}",
                    precondition=documents_pb2.Precondition(revision=put.head.revision),
                )
            )
        except grpc.RpcError as error:
            name, metadata = reason(error)
            print("stale put:", error.code().name, name, "current", metadata["current"])

        for change in documents.Watch(documents_pb2.WatchDocumentsRequest(store=STORE)):
            print("watch:", [(head.id, head.revision) for head in change.changes])
            break


if __name__ == "__main__":
    main(sys.argv[1])
