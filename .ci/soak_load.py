"""What a busy person's applications do in five minutes, over gRPC. It leaves as much behind as it
found, so that all rounds are alike."""

import concurrent.futures
import hashlib
import json
import queue
import random

import grpc
import pyrage
from vault.v1 import (
    archives_pb2, archives_pb2_grpc, blobs_pb2, blobs_pb2_grpc, databases_pb2, databases_pb2_grpc,
    documents_pb2, documents_pb2_grpc, keys_pb2, keys_pb2_grpc, maintenance_pb2,
    maintenance_pb2_grpc, secrets_pb2, secrets_pb2_grpc, stores_pb2, stores_pb2_grpc, vault_pb2,
    vault_pb2_grpc,
)

STORE, DATABASE = "soak/chat", "soak/data"
DOCUMENTS, ROWS, SECRETS = 200, 2_000, 20
CHUNK = 256 << 10


def at_once(*works):
    """Does all of them beside each other; the first that fails is the failure."""
    with concurrent.futures.ThreadPoolExecutor(len(works)) as threads:
        for done in [threads.submit(work) for work in works]:
            done.result()


def failing(code, call, request):
    """A call that is to be refused."""
    try:
        call(request)
    except grpc.RpcError as error:
        assert error.code() == code, error
    else:
        raise AssertionError(f"it was not refused: {request}")


class Load:
    """One person's applications: each with a connection of its own, opened anew in each round."""

    def __init__(self, vault):
        self.vault = vault
        self.random = random.Random(7)
        # The newest text of each document, which must be what is read in the end.
        self.texts = {}
        self.recipient = str(pyrage.x25519.Identity.generate().to_public())

    def prepare(self):
        channel = self.vault.channel
        vault_pb2_grpc.VaultStub(channel).Init(vault_pb2.InitRequest())
        stores_pb2_grpc.StoresStub(channel).Create(stores_pb2.CreateStoreRequest(
            name=STORE, kind=stores_pb2.STORE_KIND_DOCUMENTS))
        databases = databases_pb2_grpc.DatabasesStub(channel)
        databases.Create(databases_pb2.CreateDatabaseRequest(name=DATABASE))
        databases.Migrate(databases_pb2.MigrateDatabaseRequest(database=DATABASE, steps=[
            "CREATE TABLE note(id INTEGER PRIMARY KEY, at INTEGER, text TEXT)"]))
        documents = documents_pb2_grpc.DocumentsStub(channel)
        for number in range(DOCUMENTS):
            self.put(documents, number, 2_000)
        secrets = secrets_pb2_grpc.SecretsStub(channel)
        for number in range(SECRETS):
            secrets.Set(secrets_pb2.SetSecretRequest(name=f"soak:{number}", value=b"v" * 64))

    def work(self):
        """Everything at once."""
        applications = [self.write_documents, self.read_documents, self.blobs, self.database,
                        self.query, self.watch, self.secrets]
        at_once(*(lambda work=work: self.connected(work) for work in applications))

    def upkeep(self):
        """What a vault is taken through now and then: each time all of it, so that rounds are alike."""
        for work in (self.lock, self.backup, self.rotate, self.maintain):
            self.connected(work)

    def connected(self, work):
        with self.vault.connect() as channel:
            work(channel)

    def put(self, documents, number, size):
        text = f"{self.random.random()} " + "x" * size
        documents.Put(documents_pb2.PutDocumentRequest(
            store=STORE, id=f"d{number}", body=json.dumps({"text": text}).encode(),
            content_type="application/json"))
        self.texts[number] = text

    def write_documents(self, channel):
        documents = documents_pb2_grpc.DocumentsStub(channel)
        for turn in range(120):
            number = turn % DOCUMENTS
            self.put(documents, number, 500 + self.random.randrange(4_000))
            patch = json.dumps({"turn": turn}).encode()
            documents.Patch(documents_pb2.PatchDocumentRequest(
                store=STORE, id=f"d{number}", patch=patch))
        documents.Batch(documents_pb2.BatchDocumentsRequest(store=STORE, writes=[
            documents_pb2.BatchWrite(id=f"batch{number}", body=b"{}") for number in range(50)]))
        documents.Batch(documents_pb2.BatchDocumentsRequest(store=STORE, writes=[
            documents_pb2.BatchWrite(id=f"batch{number}", delete=True) for number in range(50)]))
        stale = documents_pb2.PatchDocumentRequest(store=STORE, id="d0", patch=b"{}", if_revision=1)
        failing(grpc.StatusCode.ABORTED, documents.Patch, stale)

    def read_documents(self, channel):
        documents = documents_pb2_grpc.DocumentsStub(channel)
        for turn in range(500):
            request = documents_pb2.GetDocumentRequest(store=STORE, id=f"d{turn % DOCUMENTS}")
            assert documents.Get(request).body
        for turn in range(6):
            request = documents_pb2.ListDocumentsRequest(store=STORE, bodies=turn % 2 == 0)
            listed = sum(len(page.documents) for page in documents.List(request))
            assert listed >= DOCUMENTS, listed
            # Somebody looks at the first page and goes away.
            listing = documents.List(request)
            next(listing)
            listing.cancel()
        for turn in range(20):
            request = documents_pb2.GetDocumentRequest(store=STORE, id=f"none{turn}")
            failing(grpc.StatusCode.NOT_FOUND, documents.Get, request)

    def blobs(self, channel):
        blobs = blobs_pb2_grpc.BlobsStub(channel)
        for turn in range(24):
            content = self.random.randbytes(4_000 + turn * 20_000)
            stored = blobs.Put(blobs_pb2.PutBlobRequest(content=content)).blob
            got = blobs.Get(blobs_pb2.GetBlobRequest(ref=stored.ref)).content
            assert got == content
            blobs.Delete(blobs_pb2.DeleteBlobRequest(ref=stored.ref))
        for turn in range(4):
            content = self.random.randbytes(3 << 20)
            reference = self.upload(blobs, content)
            request = blobs_pb2.DownloadBlobRequest(ref=reference)
            got = b"".join(part.chunk for part in blobs.Download(request))
            assert got == content
            download = blobs.Download(request)
            next(download)
            download.cancel()
            blobs.Delete(blobs_pb2.DeleteBlobRequest(ref=reference))

    def upload(self, blobs, content):
        """As the protocol asks: the content once the daemon has said from where."""
        requests = queue.SimpleQueue()
        start = blobs_pb2.UploadBlobRequest.Start(size=len(content))
        requests.put(blobs_pb2.UploadBlobRequest(start=start))
        answers = blobs.Upload(iter(requests.get, None))
        assert next(answers).ready.offset == 0
        for at in range(0, len(content), CHUNK):
            requests.put(blobs_pb2.UploadBlobRequest(chunk=content[at:at + CHUNK]))
        reference = hashlib.sha256(content).hexdigest()
        finish = blobs_pb2.UploadBlobRequest.Finish(ref=reference)
        requests.put(blobs_pb2.UploadBlobRequest(finish=finish))
        stored = next(answers).stored.blob
        requests.put(None)
        assert stored.ref == reference
        return reference

    def database(self, channel):
        databases = databases_pb2_grpc.DatabasesStub(channel)
        for turn in range(40):
            self.transact(databases, turn, commit=turn % 8 != 7)
        # As many rows stay as there were.
        databases.Execute(databases_pb2.ExecuteRequest(
            database=DATABASE, statement=databases_pb2.Statement(
                sql="DELETE FROM note WHERE id <= (SELECT max(id) FROM note) - ?",
                runs=[parameters(ROWS)])))

    def transact(self, databases, turn, commit):
        requests = queue.SimpleQueue()
        answers = databases.Transact(iter(requests.get, None))
        say = lambda **part: requests.put(databases_pb2.TransactRequest(**part))
        say(begin=databases_pb2.TransactRequest.Begin(database=DATABASE))
        assert next(answers).HasField("begun")
        for number in range(5):
            statement = databases_pb2.Statement(
                sql="INSERT INTO note(at, text) VALUES (?, ?)",
                runs=[parameters(turn, "x" * (100 + number * 200))])
            say(run=databases_pb2.TransactRequest.Run(statement=statement))
            assert next(answers).executed.changes == 1
        if commit:
            say(commit=databases_pb2.TransactRequest.Commit())
        else:
            say(rollback=databases_pb2.TransactRequest.Rollback())
        assert next(answers).ended.committed == commit
        requests.put(None)
        assert next(answers, None) is None

    def query(self, channel):
        databases = databases_pb2_grpc.DatabasesStub(channel)
        for turn in range(100):
            request = databases_pb2.QueryRequest(
                database=DATABASE, sql="SELECT count(*), sum(length(text)) FROM note WHERE at = ?",
                parameters=parameters(turn % 40))
            assert sum(len(answer.rows) for answer in databases.Query(request)) == 1
        for turn in range(5):
            request = databases_pb2.QueryRequest(database=DATABASE, sql="SELECT * FROM note")
            for _ in databases.Query(request):
                pass
        wrong = databases_pb2.QueryRequest(database=DATABASE, sql="SELEC 1")
        failing(grpc.StatusCode.INVALID_ARGUMENT, lambda asked: list(databases.Query(asked)), wrong)

    def watch(self, channel):
        """Opened, read for a while, and left."""
        documents = documents_pb2_grpc.DocumentsStub(channel)
        for turn in range(6):
            watch = documents.Watch(documents_pb2.WatchDocumentsRequest(store=STORE, since=0))
            for number, _ in zip(range(3), watch):
                documents.Put(documents_pb2.PutDocumentRequest(
                    store=STORE, id=f"watched{number}", body=b"{}"))
            watch.cancel()

    def secrets(self, channel):
        secrets = secrets_pb2_grpc.SecretsStub(channel)
        for turn in range(40):
            name, value = f"soak:{turn % SECRETS}", self.random.randbytes(64)
            secrets.Set(secrets_pb2.SetSecretRequest(name=name, value=value))
            assert secrets.Get(secrets_pb2.GetSecretRequest(name=name)).value == value
        secrets.Set(secrets_pb2.SetSecretRequest(name="soak:passing", value=b"v"))
        secrets.Delete(secrets_pb2.DeleteSecretRequest(name="soak:passing"))
        assert len(secrets.List(secrets_pb2.ListSecretsRequest()).secrets) == SECRETS

    def lock(self, channel):
        """What is under way ends."""
        vault = vault_pb2_grpc.VaultStub(channel)
        watch = documents_pb2_grpc.DocumentsStub(channel).Watch(
            documents_pb2.WatchDocumentsRequest(store=STORE, since=0))
        next(watch)
        vault.Lock(vault_pb2.LockRequest())
        failing(grpc.StatusCode.FAILED_PRECONDITION, list, watch)
        vault.Unlock(vault_pb2.UnlockRequest())

    def backup(self, channel):
        archives = archives_pb2_grpc.ArchivesStub(channel)
        export = archives_pb2.ExportArchiveRequest(
            form=archives_pb2.ExportArchiveRequest.FORM_SEALED, recipients=[self.recipient])
        assert sum(len(part.chunk) for part in archives.Export(export)) > 1_000

    def rotate(self, channel):
        """Both ways, while somebody reads."""
        keys = keys_pb2_grpc.KeysStub(channel)
        for depth in (keys_pb2.ROTATION_DEPTH_REWRAP, keys_pb2.ROTATION_DEPTH_REENCRYPT):
            request = keys_pb2.RotateRequest(depth=depth)
            at_once(lambda: list(keys.Rotate(request)), lambda: self.glance(channel))

    def maintain(self, channel):
        maintenance = maintenance_pb2_grpc.MaintenanceStub(channel)
        for done in maintenance.Run(maintenance_pb2.RunMaintenanceRequest()):
            assert not done.failure, done

    def glance(self, channel):
        documents = documents_pb2_grpc.DocumentsStub(channel)
        for turn in range(50):
            documents.Get(documents_pb2.GetDocumentRequest(store=STORE, id=f"d{turn}"))

    def verify(self):
        """All that was written last is there."""
        documents = documents_pb2_grpc.DocumentsStub(self.vault.channel)
        for number, text in self.texts.items():
            request = documents_pb2.GetDocumentRequest(store=STORE, id=f"d{number}")
            assert json.loads(documents.Get(request).body)["text"] == text, number


def parameters(*values):
    kinds = {int: "integer", str: "text"}
    positional = [databases_pb2.Value(**{kinds[type(value)]: value}) for value in values]
    return databases_pb2.Parameters(positional=positional)
