// The browser's side of the passkey ceremonies.

import { auth } from "./api.js";

const decode = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const encode = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

/** Whether this browser does passkeys here at all. */
export const canUsePasskeys = () => typeof PublicKeyCredential === "function" && window.isSecureContext;

/** Whether it offers them in a form's autofill. */
export async function canAutofill() {
  return canUsePasskeys() && Boolean(await PublicKeyCredential.isConditionalMediationAvailable?.());
}

const descriptors = (list = []) => list.map((entry) => ({ ...entry, id: decode(entry.id) }));

function creationOptions({ publicKey }) {
  if (PublicKeyCredential.parseCreationOptionsFromJSON) return PublicKeyCredential.parseCreationOptionsFromJSON(publicKey);
  return {
    ...publicKey,
    challenge: decode(publicKey.challenge),
    user: { ...publicKey.user, id: decode(publicKey.user.id) },
    excludeCredentials: descriptors(publicKey.excludeCredentials),
  };
}

function requestOptions({ publicKey }) {
  if (PublicKeyCredential.parseRequestOptionsFromJSON) return PublicKeyCredential.parseRequestOptionsFromJSON(publicKey);
  return { ...publicKey, challenge: decode(publicKey.challenge), allowCredentials: descriptors(publicKey.allowCredentials) };
}

/** The answer as JSON, for browsers that cannot say it so themselves. */
function asJson(credential) {
  if (credential.toJSON) return credential.toJSON();
  const { response } = credential;
  const parts = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];
  const encoded = parts.filter((name) => response[name]).map((name) => [name, encode(response[name])]);
  return {
    id: credential.id,
    rawId: encode(credential.rawId),
    type: credential.type,
    clientExtensionResults: credential.getClientExtensionResults(),
    response: { ...Object.fromEntries(encoded), ...(response.getTransports ? { transports: response.getTransports() } : {}) },
  };
}

/** Registers a passkey: with a pairing code, or for whoever is signed in. */
export async function register({ code, label } = {}) {
  const begun = await auth.beginRegistration({ ...(code ? { pairing_code: code } : {}), ...(label ? { label } : {}) });
  const credential = await navigator.credentials.create({ publicKey: creationOptions(begun.options) });
  return auth.finishRegistration({ ceremony: begun.ceremony, credential: asJson(credential) });
}

/** Signs in. `conditional` waits in the form's autofill until a passkey is chosen there. */
export async function signIn({ conditional = false, signal } = {}) {
  const begun = await auth.beginLogin(conditional, signal);
  const mediation = conditional ? "conditional" : "optional";
  const credential = await navigator.credentials.get({ publicKey: requestOptions(begun.options), mediation, signal });
  return auth.finishLogin({ ceremony: begun.ceremony, credential: asJson(credential) });
}
