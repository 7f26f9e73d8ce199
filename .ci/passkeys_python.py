"""Another library's passkeys: PyPI `fido2` reads the options, and makes and writes the answers.

usage: passkeys_python.py BIN_DIR FOLDER"""

import http.cookies
import os
import pathlib
import sys

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2 import features
from fido2.cose import ES256
from fido2.utils import sha256
from fido2.webauthn import (
    AttestationObject, AttestedCredentialData, AuthenticatorAssertionResponse,
    AuthenticatorAttestationResponse, AuthenticatorData, AuthenticationResponse, CollectedClientData,
    CredentialCreationOptions, CredentialRequestOptions, RegistrationResponse,
    ResidentKeyRequirement, UserVerificationRequirement,
)

from vault_gateway import gateway, until

FLAG = AuthenticatorData.FLAG
PRESENT_AND_VERIFIED = FLAG.UP | FLAG.UV
REGISTER, LOGIN = "/api/auth/register", "/api/auth/login"


class Authenticator:
    """One passkey, found by the authenticator itself."""

    def __init__(self):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id, self.counter = os.urandom(32), 0
        self.user_handle = None

    def create(self, options, origin, flags=PRESENT_AND_VERIFIED):
        """`navigator.credentials.create()`, as JSON."""
        asked = CredentialCreationOptions.from_dict(options).public_key
        selection = asked.authenticator_selection
        assert selection.resident_key == ResidentKeyRequirement.REQUIRED, selection
        assert selection.user_verification == UserVerificationRequirement.REQUIRED, selection
        assert ES256.ALGORITHM in [offered.alg for offered in asked.pub_key_cred_params]
        self.user_handle = asked.user.id
        self.excluded = [known.id for known in asked.exclude_credentials or []]
        attested = AttestedCredentialData.create(
            bytes(16), self.id, ES256.from_cryptography_key(self.key.public_key()))
        data = AuthenticatorData.create(sha256(asked.rp.id.encode()), flags | FLAG.AT, 0, attested)
        client = CollectedClientData.create(
            CollectedClientData.TYPE.CREATE, asked.challenge, origin)
        response = AuthenticatorAttestationResponse(
            client_data=client, attestation_object=AttestationObject.create("none", data, {}))
        return dict(RegistrationResponse(raw_id=self.id, response=response))

    def get(self, options, origin, flags=PRESENT_AND_VERIFIED, rp_id=None):
        """`navigator.credentials.get()`, as JSON."""
        asked = CredentialRequestOptions.from_dict(options).public_key
        assert not asked.allow_credentials, "any passkey may sign in"
        self.counter += 1
        rp_id = rp_id or asked.rp_id
        data = AuthenticatorData.create(sha256(rp_id.encode()), flags, self.counter)
        client = CollectedClientData.create(CollectedClientData.TYPE.GET, asked.challenge, origin)
        signature = self.key.sign(data + client.hash, ec.ECDSA(hashes.SHA256()))
        response = AuthenticatorAssertionResponse(
            client_data=client, authenticator_data=data, signature=signature,
            user_handle=self.user_handle)
        return dict(AuthenticationResponse(raw_id=self.id, response=response))


class Browser:
    """The console's page: it says its origin, and sends back the cookie it was given."""

    def __init__(self, vault):
        self.vault, self.cookie = vault, None

    def ask(self, method, path, body=None):
        headers = {"origin": self.vault.origin}
        if self.cookie:
            headers["cookie"] = self.cookie
        status, headers, said = self.vault.ask(method, path, body, **headers)
        if "set-cookie" in headers:
            self.take(headers["set-cookie"])
        return status, said

    def take(self, header):
        cookies = http.cookies.SimpleCookie(header)
        [(name, cookie)] = cookies.items()
        assert name == "vaultd_sess", header
        assert cookie["httponly"] and cookie["samesite"] == "Lax" and cookie["path"] == "/", header
        # Over the plain loopback it is not Secure, and it is never for other hosts.
        assert not cookie["secure"] and not cookie["domain"], header
        assert int(cookie["max-age"]) == (90 * 24 * 60 * 60 if cookie.value else 0), header
        self.cookie = f"{name}={cookie.value}" if cookie.value else None

    def begin(self, path, body=None):
        status, said = self.ask("POST", f"{path}/begin", body or {})
        assert status == 200, (status, said)
        return said["ceremony"], said["options"]

    def finish(self, path, ceremony, credential):
        made = {"ceremony": ceremony, "credential": credential}
        return self.ask("POST", f"{path}/finish", made)

    def register(self, authenticator, **asked):
        ceremony, options = self.begin(REGISTER, asked)
        return self.finish(REGISTER, ceremony, authenticator.create(options, self.vault.origin))

    def sign_in(self, authenticator, **odd):
        """Signs in; `odd` is what is not as it should be."""
        ceremony, options = self.begin(LOGIN)
        credential = authenticator.get(options, odd.pop("origin", self.vault.origin), **odd)
        return self.finish(LOGIN, ceremony, credential)

    def principal(self):
        return self.ask("GET", "/api/auth/status")[1]["principal"]


def refused(answer, status, reason):
    assert answer[0] == status and answer[1]["error"]["reason"] == reason, answer


def registration(vault):
    """The first passkey, by a code; the code is used up by it."""
    browser, first = Browser(vault), Authenticator()
    refused(browser.ask("POST", f"{REGISTER}/begin", {}), 401, "PAIRING_REQUIRED")
    code = vault.pairing_code()
    wrong = code[:-1] + ("B" if code[-1] != "B" else "C")
    refused(browser.ask("POST", f"{REGISTER}/begin", {"pairing_code": wrong}), 403, "PAIRING_CODE_WRONG")
    for origin in ["http://localhost:1", "https://localhost", "https://attacker.example"]:
        ceremony, options = browser.begin(REGISTER, {"pairing_code": code})
        refused(browser.finish(REGISTER, ceremony, Authenticator().create(options, origin)),
                401, "PASSKEY_REFUSED")
    ceremony, options = browser.begin(REGISTER, {"pairing_code": code})
    unverified = Authenticator().create(options, vault.origin, FLAG.UP)
    refused(browser.finish(REGISTER, ceremony, unverified), 401, "PASSKEY_REFUSED")
    # Whoever has failed five times at pairing waits, and then may try again.
    asked = {"pairing_code": code, "label": "the first"}
    refused(browser.ask("POST", f"{REGISTER}/begin", asked), 429, "RATE_LIMITED")
    until(lambda: browser.ask("POST", f"{REGISTER}/begin", asked)[0] == 200, "it may try again")
    status, said = browser.register(first, **asked)
    assert status == 201 and said["passkey"]["label"] == "the first", (status, said)
    assert browser.cookie and browser.principal() == "session", said
    again = Browser(vault).ask("POST", f"{REGISTER}/begin", {"pairing_code": code})
    assert again[0] in (403, 409), again
    return browser, first


def login(vault, browser, first):
    """Sign-in, and everything that must not be one."""
    before = browser.cookie
    status, said = browser.ask("POST", "/api/auth/logout")
    assert status == 204 and browser.cookie is None and browser.principal() == "nobody", said
    browser.cookie = before
    assert browser.principal() == "nobody", "a session that was ended"
    browser.cookie = None
    status, said = browser.sign_in(first)
    assert status == 200 and browser.cookie != before and browser.principal() == "session", said

    stranger = Browser(vault)
    ceremony, options = stranger.begin(LOGIN)
    credential = first.get(options, vault.origin)
    assert stranger.finish(LOGIN, ceremony, credential)[0] == 200
    refused(Browser(vault).finish(LOGIN, ceremony, credential), 400, "CEREMONY_ENDED")
    other, _ = Browser(vault).begin(LOGIN)
    refused(Browser(vault).finish(LOGIN, other, credential), 401, "PASSKEY_REFUSED")
    for odd in [
        {"origin": "http://localhost:1"},
        {"origin": "https://attacker.example"},
        {"rp_id": "attacker.example"},
        {"flags": FLAG.UP},
    ]:
        refused(Browser(vault).sign_in(first, **odd), 401, "PASSKEY_REFUSED")
    # What was refused counts for nothing: the last to be let in had 2.
    ahead, first.counter = first.counter, 1
    refused(Browser(vault).sign_in(first), 401, "PASSKEY_REFUSED")
    refused(Browser(vault).sign_in(forged_from(first)), 401, "PASSKEY_REFUSED")
    first.counter = ahead
    for _ in range(6):
        refused(Browser(vault).sign_in(forged_from(first)), 401, "PASSKEY_REFUSED")
    assert Browser(vault).sign_in(first)[0] == 200, "no stranger keeps the owner out"


def forged_from(known):
    """One that claims another's id and person, and has a key of its own."""
    forged = Authenticator()
    forged.id, forged.user_handle, forged.counter = known.id, known.user_handle, known.counter + 9
    return forged


def second(vault, browser, first):
    """Another passkey of the same person, for whoever is signed in."""
    refused(Browser(vault).ask("POST", f"{REGISTER}/begin", {}), 401, "UNAUTHENTICATED")
    another, before = Authenticator(), browser.cookie
    status, said = browser.register(another, label="the second")
    assert status == 201 and said["session"] is None and browser.cookie == before, (status, said)
    assert another.excluded == [first.id], "the authenticator is told what there is"
    assert another.user_handle == first.user_handle, "it is one person"
    assert Browser(vault).sign_in(another)[0] == 200
    listed = browser.ask("GET", "/api/auth/passkeys")[1]["passkeys"]
    assert {passkey["label"] for passkey in listed} == {"the first", "the second"}, listed
    [revoked] = [passkey for passkey in listed if passkey["label"] == "the first"]
    held = Browser(vault)
    assert held.sign_in(another)[0] == 200
    assert browser.ask("DELETE", f"/api/auth/passkeys/{revoked['id']}")[0] == 204
    assert browser.principal() == "nobody", "it goes with its passkey, at once"
    assert held.principal() == "session", "others stay"
    refused(Browser(vault).sign_in(first), 401, "PASSKEY_REFUSED")


def main():
    bin_dir, folder = map(pathlib.Path, sys.argv[1:])
    if hasattr(features, "webauthn_json_mapping"):
        features.webauthn_json_mapping.enabled = True
    with gateway(bin_dir, folder) as vault:
        vault.configure(loopback_bypass=False)
        browser, first = registration(vault)
        login(vault, browser, first)
        second(vault, browser, first)
    print("passkeys: all is well")


main()
