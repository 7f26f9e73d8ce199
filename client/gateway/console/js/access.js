// The panel Access: who gets in, and how.

import { begin } from "./panel.js";
import { pairingCard } from "./access/pairing.js";
import { passkeysCard } from "./access/passkeys.js";
import { rulesCard } from "./access/rules.js";
import { sessionsCard } from "./access/sessions.js";
import { tokensCard } from "./access/tokens.js";

/** Shows the panel. */
export async function accessPanel(main, context) {
  begin(main, "Access", "Who gets in: people with passkeys, programs with tokens.");
  main.append(passkeysCard(context), sessionsCard(context), tokensCard(context), pairingCard(), rulesCard(context));
}
