"""A tour of vaultd from Python: documents, a typed error, a watch, a blob, a query.

From the root of the repository, with the socket that `vaultctl status --json` names (it starts the
daemon, too):

    pip install grpcio grpcio-status grpcio-tools
    mkdir gen
    python -m grpc_tools.protoc -I proto --python_out=gen --grpc_python_out=gen proto/vault/v1/*.proto
    PYTHONPATH=gen python client/examples/python/tour.py SOCKET

It works in stores of its own and removes them at the end.
"""

import hashlib
import sys

import grpc
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status

from vault.v1 import blobs_pb2, blobs_pb2_grpc
from vault.v1 import databases_pb2, databases_pb2_grpc
from vault.v1 import documents_pb2, documents_pb2_grpc
from vault.v1 import stores_pb2, stores_pb2_grpc
from vault.v1 import vault_pb2, vault_pb2_grpc

NOTES, BLOBS, DATABASE = "tour/notes", "tour/blobs", "tour/data"
CHUNK = 256 * 1024  # The most that a chunk of any stream holds.


def main(socket: str) -> None:
    # gRPC would send the socket's path as the authority of its requests. That is no valid one, and
    # every call would end with "Received RST_STREAM with error code 1".
    options = [("grpc.default_authority", "localhost")]
    with grpc.insecure_channel(f"unix:{socket}", options=options) as channel:
        status = vault_pb2_grpc.VaultStub(channel).Status(vault_pb2.StatusRequest())
        print("vault:", vault_pb2.KeyState.Name(status.key_state))
        stores = stores_pb2_grpc.StoresStub(channel)
        documents(channel, stores)
        blob(channel, stores)
        query(channel)


def documents(channel: grpc.Channel, stores: stores_pb2_grpc.StoresStub) -> None:
    notes = documents_pb2_grpc.DocumentsStub(channel)
    stores.Create(stores_pb2.CreateStoreRequest(name=NOTES))

    # A precondition is what keeps two programs from undoing each other's work: `absent` creates,
    # `revision` replaces just what was read.
    def put(body: bytes, **condition) -> int:
        precondition = documents_pb2.Precondition(**condition)
        request = documents_pb2.PutDocumentRequest(
            store=NOTES, id="first", body=body, precondition=precondition
        )
        return notes.Put(request).head.revision

    created = put(b'{"text":"hello"}', absent=True)
    print("put: revision", created)
    print("put: revision", put(b'{"text":"hello, vault"}', revision=created))
    try:
        put(b'{"text":"stale"}', revision=created)
    except grpc.RpcError as error:
        info = error_info(error)
        print("stale put:", info.reason, "current", info.metadata["current"])

    # JSON Merge Patch, RFC 7396.
    patch = documents_pb2.PatchDocumentRequest(store=NOTES, id="first", patch=b'{"read":true}')
    print("patch: revision", notes.Patch(patch).head.revision)
    got = notes.Get(documents_pb2.GetDocumentRequest(store=NOTES, id="first"))
    print("get:", got.body.decode())
    for page in notes.List(documents_pb2.ListDocumentsRequest(store=NOTES)):
        for listed in page.documents:
            print("list:", listed.head.id, "revision", listed.head.revision)

    # A watch sends what changed since a revision, then what changes. A message without changes says
    # that all was sent; its revision is where to go on after a break.
    since = got.head.revision
    watch = notes.Watch(documents_pb2.WatchDocumentsRequest(store=NOTES, since=since))
    print("watch: caught up at revision", next(watch).revision)
    delete = documents_pb2.DeleteDocumentRequest(store=NOTES, id="first", if_revision=since)
    notes.Delete(delete)
    for head in next(watch).changes:
        print("watch:", head.id, "revision", head.revision, "deleted" if head.deleted else "there")
    watch.cancel()
    stores.Remove(stores_pb2.RemoveStoreRequest(name=NOTES))


def error_info(error: grpc.RpcError) -> ErrorInfo:
    """Why a call failed. Programs go by its reason, never by the text: see proto/ERRORS.md."""
    info = ErrorInfo()
    status = rpc_status.from_call(error)
    for detail in status.details if status else []:
        if detail.Unpack(info):
            return info
    raise error


def blob(channel: grpc.Channel, stores: stores_pb2_grpc.StoresStub) -> None:
    blobs = blobs_pb2_grpc.BlobsStub(channel)
    stores.Create(stores_pb2.CreateStoreRequest(name=BLOBS, kind=stores_pb2.STORE_KIND_BLOBS))
    content = bytes(range(200)) * 3000

    # The daemon answers Start with what it has kept of an upload that broke off. This one names no
    # `resume_key`, so that is nothing, and nobody has to wait for it.
    def parts():
        start = blobs_pb2.UploadBlobRequest.Start(store=BLOBS, size=len(content))
        yield blobs_pb2.UploadBlobRequest(start=start)
        for offset in range(0, len(content), CHUNK):
            yield blobs_pb2.UploadBlobRequest(chunk=content[offset : offset + CHUNK])
        # Only this says that all was sent. With a ref, the content must also be what it names.
        ref = hashlib.sha256(content).hexdigest()
        yield blobs_pb2.UploadBlobRequest(finish=blobs_pb2.UploadBlobRequest.Finish(ref=ref))

    answers = list(blobs.Upload(parts()))
    stored = answers[-1].stored.blob
    print("blob:", stored.size, "bytes", stored.ref)

    # The head comes first, then the content. A whole blob that ends without an error was checked
    # against its ref.
    request = blobs_pb2.DownloadBlobRequest(store=BLOBS, ref=stored.ref)
    chunks = [part.chunk for part in blobs.Download(request) if part.HasField("chunk")]
    print("blob:", "the same" if b"".join(chunks) == content else "another", "comes back")
    request = blobs_pb2.DownloadBlobRequest(store=BLOBS, ref=stored.ref, offset=5, length=3)
    chunks = [part.chunk for part in blobs.Download(request) if part.HasField("chunk")]
    print("blob: bytes 5 to 7:", *b"".join(chunks))
    stores.Remove(stores_pb2.RemoveStoreRequest(name=BLOBS))


def query(channel: grpc.Channel) -> None:
    databases = databases_pb2_grpc.DatabasesStub(channel)
    databases.Create(databases_pb2.CreateDatabaseRequest(name=DATABASE))
    # All steps that the schema ever took: those that this database has behind it are left out.
    steps = ["CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL, stars REAL)"]
    databases.Migrate(databases_pb2.MigrateDatabaseRequest(database=DATABASE, steps=steps))

    # One statement, run once with each set of parameters, in one transaction.
    insert = databases_pb2.Statement(
        sql="INSERT INTO note (text, stars) VALUES (?, ?)",
        runs=[parameters("hello", 4.5), parameters("world", None)],
    )
    databases.Execute(databases_pb2.ExecuteRequest(database=DATABASE, statement=insert))

    request = databases_pb2.QueryRequest(
        database=DATABASE,
        sql="SELECT id, text, coalesce(stars, 'none') FROM note WHERE id > ? ORDER BY id",
        parameters=parameters(0),
    )
    for page in databases.Query(request):
        for row in page.rows:
            print("row:", *map(native, row.values))
    databases.Drop(databases_pb2.DropDatabaseRequest(name=DATABASE))


def parameters(*values: int | float | str | bytes | None) -> databases_pb2.Parameters:
    kinds = {int: "integer", float: "real", str: "text", bytes: "blob"}
    wrapped = [
        databases_pb2.Value(**({} if value is None else {kinds[type(value)]: value}))
        for value in values
    ]
    return databases_pb2.Parameters(positional=wrapped)


def native(value: databases_pb2.Value) -> int | float | str | bytes | None:
    # A large value is `long` here, and its bytes follow in chunks: see QueryResponse.
    kind = value.WhichOneof("kind")
    return None if kind is None else getattr(value, kind)


if __name__ == "__main__":
    main(sys.argv[1])
