import assert from "node:assert/strict";
import test from "node:test";

import { conversation } from "../../console/js/conversation.js";

test("messages with roles", () => {
  const { title, messages } = conversation({
    title: "Trip",
    messages: [
      { role: "system", content: "Be brief." },
      { role: "user", content: "Where to?" },
      { role: "assistant", name: "Guide", content: [{ type: "text", text: "North," }, { type: "text", text: "then east." }] },
    ],
  });
  assert.equal(title, "Trip");
  assert.deepEqual(messages.map(({ who, side, text }) => [who, side, text]), [
    ["system", "aside", "Be brief."],
    ["user", "own", "Where to?"],
    ["Guide", "other", "North,\nthen east."],
  ]);
});

test("turns of people who are known by id", () => {
  const [a, b] = ["720840be-e522-47ba-9e9f-143f66372673", "549cc1d1-270e-4a53-b561-133a8d0086b4"];
  const { messages } = conversation({
    messages: [[{ text: "Hello", sender: a, timestamp: "2018-05-02T19:38:15Z" }, { text: "Well?", sender: a }], [{ text: "hi", sender: b }]],
  });
  assert.deepEqual(messages.map(({ who, side }) => [who, side]), [["Person 1", "other"], ["Person 1", "other"], ["Person 2", "own"]]);
  assert.equal(messages[0].time, "2018-05-02T19:38:15Z");
});

test("attachments: a ref is 64 hex digits or none", () => {
  const ref = "a".repeat(64);
  const { messages, attachments } = conversation({
    messages: [{ role: "user", content: "look", attachments: [{ ref, name: "cat.png", content_type: "image/png", size: 9 }, { ref: "../../etc" }, "x", null] }],
    attachments: [{ data: "aGk=" }],
  });
  assert.equal(messages[0].attachments.length, 2);
  assert.equal(messages[0].attachments[0].ref, ref);
  assert.equal(messages[0].attachments[1].ref, null);
  assert.equal(attachments[0].data, "aGk=");
});

test("what is no conversation, and what is hostile", () => {
  const none = [null, 3, "text", [], {}, { messages: "x" }, { messages: [] }, { messages: [1, null, {}] }, { messages: [{ role: "user" }] }, { messages: { length: 2 } }];
  for (const body of none) assert.equal(conversation(body), null, JSON.stringify(body));
  const { messages } = conversation({ messages: [{ role: {}, content: "a" }, { sender: { toString: 1 }, text: "b" }, { role: "__proto__", text: "c" }] });
  assert.deepEqual(messages.map((message) => message.text), ["a", "b", "c"]);
});
