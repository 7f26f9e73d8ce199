// A tour of vaultd from Node: documents, a typed error, a watch, a blob, a query.
//
// In this folder, with the socket that `vaultctl status --json` names (it starts the daemon, too):
//
//     npm install
//     node tour.mjs SOCKET
//
// It works in stores of its own and removes them at the end.

import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { credentials, loadPackageDefinition } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import protobuf from "protobufjs";

const NOTES = "tour/notes";
const BLOBS = "tour/blobs";
const DATABASE = "tour/data";
const CHUNK = 256 * 1024; // The most that a chunk of any stream holds.

const vault = load();

// What gRPC itself says of a failure, from google/rpc/status.proto and error_details.proto.
const rpc = protobuf.parse(`
  syntax = "proto3";
  message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
  message Any { string type_url = 1; bytes value = 2; }
  message ErrorInfo { string reason = 1; string domain = 2; map<string, string> metadata = 3; }
`).root;

async function main(socket) {
  const connect = (Service) => new Service(`unix:${socket}`, credentials.createInsecure());
  const stores = connect(vault.Stores);
  const { keyState } = await call(connect(vault.Vault), "status", {});
  console.log("vault:", keyState);
  await documents(connect(vault.Documents), stores);
  await blob(connect(vault.Blobs), stores);
  await query(connect(vault.Databases));
}

async function documents(notes, stores) {
  await call(stores, "create", { name: NOTES });

  // A precondition is what keeps two programs from undoing each other's work: `absent` creates,
  // `revision` replaces just what was read.
  async function put(body, precondition) {
    const request = { store: NOTES, id: "first", body: Buffer.from(body), precondition };
    return (await call(notes, "put", request)).head.revision;
  }

  const created = await put('{"text":"hello"}', { absent: true });
  console.log("put: revision", created);
  console.log("put: revision", await put('{"text":"hello, vault"}', { revision: created }));
  try {
    await put('{"text":"stale"}', { revision: created });
  } catch (error) {
    const { reason, metadata } = errorInfo(error);
    console.log("stale put:", reason, "current", metadata.current);
  }

  // JSON Merge Patch, RFC 7396.
  const patch = { store: NOTES, id: "first", patch: Buffer.from('{"read":true}') };
  console.log("patch: revision", (await call(notes, "patch", patch)).head.revision);
  const got = await call(notes, "get", { store: NOTES, id: "first" });
  console.log("get:", got.body.toString());
  for await (const page of notes.list({ store: NOTES })) {
    for (const { head } of page.documents) console.log("list:", head.id, "revision", head.revision);
  }

  // A watch sends what changed since a revision, then what changes. A message without changes says
  // that all was sent; its revision is where to go on after a break.
  const since = got.head.revision;
  const watch = notes.watch({ store: NOTES, since })[Symbol.asyncIterator]();
  const caughtUp = await watch.next();
  console.log("watch: caught up at revision", caughtUp.value.revision);
  await call(notes, "delete", { store: NOTES, id: "first", ifRevision: since });
  for (const head of (await watch.next()).value.changes) {
    console.log("watch:", head.id, "revision", head.revision, head.deleted ? "deleted" : "there");
  }
  await watch.return(); // Cancels the call.
  await call(stores, "remove", { name: NOTES });
}

async function blob(blobs, stores) {
  await call(stores, "create", { name: BLOBS, kind: "STORE_KIND_BLOBS" });
  const content = Buffer.from(Array.from({ length: 600_000 }, (_, index) => index % 200));

  // The daemon answers Start with what it has kept of an upload that broke off. This one names no
  // `resumeKey`, so that is nothing, and nobody has to wait for it.
  const upload = blobs.upload();
  upload.write({ start: { store: BLOBS, size: content.length } });
  for (let offset = 0; offset < content.length; offset += CHUNK) {
    const more = upload.write({ chunk: content.subarray(offset, offset + CHUNK) });
    if (!more) await new Promise((resolve) => upload.once("drain", resolve));
  }
  // Only this says that all was sent. With a ref, the content must also be what it names.
  upload.write({ finish: { ref: createHash("sha256").update(content).digest("hex") } });
  upload.end();
  let stored;
  for await (const answer of upload) if (answer.stored) stored = answer.stored.blob;
  console.log("blob:", stored.size, "bytes", stored.ref);

  // The head comes first, then the content. A whole blob that ends without an error was checked
  // against its ref.
  async function download(range) {
    const chunks = [];
    for await (const { chunk } of blobs.download({ store: BLOBS, ref: stored.ref, ...range })) {
      if (chunk) chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }
  console.log("blob:", (await download()).equals(content) ? "the same" : "another", "comes back");
  console.log("blob: bytes 5 to 7:", ...(await download({ offset: 5, length: 3 })));
  await call(stores, "remove", { name: BLOBS });
}

async function query(databases) {
  await call(databases, "create", { name: DATABASE });
  // All steps that the schema ever took: those that this database has behind it are left out.
  const steps = ["CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL, stars REAL)"];
  await call(databases, "migrate", { database: DATABASE, steps });

  // One statement, run once with each set of parameters, in one transaction. Each value says which
  // of SQLite's types it has; one that says nothing is NULL.
  const runs = [
    { positional: [{ text: "hello" }, { real: 4.5 }] },
    { positional: [{ text: "world" }, {}] },
  ];
  const sql = "INSERT INTO note (text, stars) VALUES (?, ?)";
  await call(databases, "execute", { database: DATABASE, statement: { sql, runs } });

  const rows = databases.query({
    database: DATABASE,
    sql: "SELECT id, text, coalesce(stars, 'none') FROM note WHERE id > ? ORDER BY id",
    parameters: { positional: [{ integer: 0 }] },
  });
  for await (const page of rows) {
    // `kind` names the member that is set. A large value is `long` here, and its bytes follow in
    // chunks: see QueryResponse.
    for (const { values } of page.rows) {
      console.log("row:", ...values.map((value) => (value.kind ? value[value.kind] : null)));
    }
  }
  await call(databases, "drop", { name: DATABASE });
}

// Why a call failed. Programs go by its reason, never by the text: see proto/ERRORS.md.
function errorInfo(error) {
  const [bytes] = error.metadata?.get("grpc-status-details-bin") ?? [];
  const details = bytes ? rpc.lookupType("Status").decode(bytes).details : [];
  const detail = details.find(({ typeUrl }) => typeUrl.endsWith("/google.rpc.ErrorInfo"));
  if (!detail) throw error;
  return rpc.lookupType("ErrorInfo").decode(detail.value);
}

// Services and messages, read from its files as they are.
function load() {
  const files = ["blobs", "databases", "documents", "stores", "vault"];
  const definition = loadSync(
    files.map((file) => `vault/v1/${file}.proto`),
    {
      includeDirs: [fileURLToPath(new URL("../../../proto", import.meta.url))],
      enums: String,
      longs: Number, // Revisions and sizes stay below 2^53; a database's integers may not: String.
      defaults: true,
      oneofs: true,
    },
  );
  return loadPackageDefinition(definition).vault.v1;
}

// A call with a single answer, as a promise. Streams are async iterables as they are.
function call(client, method, request) {
  return promisify(client[method]).call(client, request);
}

await main(process.argv[2]);
