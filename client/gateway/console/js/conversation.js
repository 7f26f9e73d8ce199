// A conversation, read out of a document. Pure: it finds what to show and draws nothing.

const SPEAKERS = ["name", "role", "sender", "author", "from"];
const TEXTS = ["content", "text", "mes", "message", "body"];
const TIMES = ["timestamp", "created_at", "time", "date", "send_date"];
const OWN = new Set(["user", "human", "me", "you"]);
const ASIDE = new Set(["system", "tool", "developer", "function"]);

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const first = (object, names) => names.map((name) => object[name]).find((value) => value !== undefined && value !== null);

/** Text of a message: a string, or parts of which some are text. */
function textOf(value) {
  if (typeof value === "string") return value;
  if (!Array.isArray(value)) return undefined;
  const parts = value.map((part) => (typeof part === "string" ? part : isObject(part) ? part.text : undefined));
  const texts = parts.filter((part) => typeof part === "string");
  return texts.length > 0 ? texts.join("\n") : undefined;
}

function speakerOf(message) {
  const speaker = first(message, SPEAKERS);
  if (typeof speaker === "string") return speaker;
  if (isObject(speaker)) return String(first(speaker, ["name", "role", "id"]) ?? "");
  return message.is_user === true ? "user" : "";
}

function attachmentsOf(message) {
  const list = Array.isArray(message.attachments) ? message.attachments.filter(isObject) : [];
  return list.map((attachment) => ({
    name: typeof attachment.name === "string" ? attachment.name : "attachment",
    type: typeof attachment.content_type === "string" ? attachment.content_type : "application/octet-stream",
    ref: /^[0-9a-f]{64}$/.test(attachment.ref) ? attachment.ref : null,
    data: typeof attachment.data === "string" ? attachment.data : null,
    size: Number.isSafeInteger(attachment.size) ? attachment.size : null,
  }));
}

function read(message) {
  if (!isObject(message)) return null;
  const text = textOf(first(message, TEXTS));
  const attachments = attachmentsOf(message);
  if (text === undefined && attachments.length === 0) return null;
  const speaker = speakerOf(message);
  const role = typeof message.role === "string" ? message.role.toLowerCase() : speaker.toLowerCase();
  return { speaker, role, text: text ?? "", time: first(message, TIMES) ?? null, attachments };
}

/** Names that are ids of people become "Person 1", "Person 2" in the order they speak. */
function nameSpeakers(messages) {
  const names = new Map();
  for (const message of messages) {
    const anonymous = message.speaker === "" || /^[0-9a-f-]{16,}$/i.test(message.speaker);
    if (!names.has(message.speaker)) {
      const number = names.size + 1;
      names.set(message.speaker, { name: anonymous ? `Person ${number}` : message.speaker, number });
    }
    const { name, number } = names.get(message.speaker);
    message.who = name;
    // Where no role tells whose side a message is on, the second to speak is on the right.
    message.side = ASIDE.has(message.role) ? "aside" : OWN.has(message.role) || (anonymous && number === 2) ? "own" : "other";
  }
  return messages;
}

/**
 * The conversation in a document's body.
 * @returns {{title: string, messages: object[], attachments: object[]} | null} null where it is none
 */
export function conversation(body) {
  const list = Array.isArray(body) ? body : isObject(body) ? first(body, ["messages", "chat", "turns"]) : undefined;
  if (!Array.isArray(list) || list.length === 0) return null;
  const messages = list.flat(3).map(read).filter((message) => message !== null);
  if (messages.length === 0) return null;
  const title = isObject(body) ? first(body, ["title", "name", "topic", "subject"]) : undefined;
  return {
    title: typeof title === "string" ? title : "",
    messages: nameSpeakers(messages),
    attachments: isObject(body) ? attachmentsOf(body) : [],
  };
}
