// Pairing: a code for another device, and the addresses that are admitted.

import { pairing } from "../api.js";
import { secretBox } from "../clipboard.js";
import { ask } from "../dialog.js";
import { announce, button, busy, card, field, h, notice, show } from "../dom.js";
import { time } from "../format.js";
import { loaded } from "../panel.js";
import { problem } from "../problem.js";

function codeShown(created, shown) {
  return notice("good",
    h("p", {}, `Type this at the other device. It counts until ${time(created.expires)}, for ${created.tries} tries and one passkey.`),
    secretBox(created.code, "Pairing code", "code-shown"),
    h("div", {}, button("Take it back", async () => {
      await pairing.cancel();
      show(shown);
      announce("The code was taken back");
    }, "quiet")));
}

function remove(host, reload) {
  return ask({
    title: `Admit ${host} no more?`,
    body: [h("p", {}, "Browsers and programs that use this address are refused from now on. Its passkeys stay.")],
    yes: "Remove",
    danger: true,
    act: async () => {
      await pairing.removeHost(host);
      await reload();
    },
  });
}

function add(reload) {
  const host = h("input", { type: "text", name: "host", required: true, autocomplete: "off", autocapitalize: "off", spellcheck: "false", placeholder: "vault.example.org" });
  return ask({
    title: "Admit an address",
    body: [field("Address", host, "A name without a port. An IP address is admitted for tokens, and can have no passkeys.")],
    yes: "Admit",
    act: async (form) => {
      await pairing.addHost(form.get("host").trim());
      await reload();
    },
  });
}

/** The card with both. */
export function pairingCard() {
  const shown = h("div", { class: "stack", "aria-live": "polite" });
  const host = h("input", { type: "text", name: "host", autocomplete: "off", autocapitalize: "off", spellcheck: "false", placeholder: "vault.example.org" });
  const submit = h("button", { type: "submit", class: "button main" }, "Make a code");
  const form = h("form", { class: "stack" },
    field("Address of the other device's page (optional)", host, "A name without a port. It is admitted once the code was used from there. Without one the code serves addresses that are admitted already."),
    h("div", {}, submit));
  const [place, reload] = loaded(async () => {
    const hosts = await pairing.hosts();
    const always = h("li", {}, h("span", {}, "localhost and this machine's loopback"), h("span", { class: "muted small" }, "always"));
    return h("ul", { class: "list", id: "hosts" }, always, hosts.map((name) => h("li", {}, h("span", { class: "mono" }, name),
      button("Remove", () => remove(name, reload), "quiet risky", { "aria-label": `Remove ${name}` }))));
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    busy(submit, async () => {
      try {
        show(shown, codeShown(await pairing.create(host.value.trim()), shown));
        await reload();
      } catch (error) {
        show(shown, problem(error));
      }
    });
  });
  return card("Pair another device", null, form, shown, 
    h("div", { class: "row apart" }, h("h3", {}, "Addresses that are admitted"), button("Add", () => add(reload), "quiet", { "aria-label": "Add an address" })), place);
}
