//! The hosts of a tailnet, and those of a local network.

use super::{
    browser::{Browser, begin, finish, nobody, page, pair, sign_in},
    signins::refused,
    world::World,
};
use crate::{AuthError, Change};

#[test]
fn one_tailnet_shares_its_passkeys_where_its_hosts_are_admitted() {
    let world = World::new();
    let auth = &world.open().auth;
    let (a, b) = ("https://a.alice.ts.net", "https://b.alice.ts.net");
    let mut browser = Browser::new();
    let (passkey, _) = pair(auth, &mut browser, a);
    assert_eq!(passkey.rp_id.as_str(), "alice.ts.net");
    let unlisted = auth.begin_login(&page(b), &nobody(auth, &page(b)), false);
    assert!(matches!(unlisted, Err(AuthError::HostNotAdmitted(host)) if host == "b.alice.ts.net"));
    for host in ["b.alice.ts.net", "bob.ts.net", "x.bob.ts.net", "nas.lan"] {
        let host = host.to_owned();
        auth.tables()
            .change(Change::AddHost { host })
            .expect("admitted");
    }
    assert!(sign_in(auth, &mut browser, b).is_ok());
    for origin in [
        "https://bob.ts.net",
        "https://x.bob.ts.net",
        "https://nas.lan",
    ] {
        let request = page(origin);
        let begun = auth.begin_login(&request, &nobody(auth, &request), false);
        assert!(matches!(begun, Err(AuthError::PairingRequired)), "{origin}");
    }
    // Though a neighbour asks, the answer counts where it was asked for.
    let begun = begin(auth, a);
    let answer = browser.get(b, &begun.options);
    assert!(refused(&finish(auth, a, &begun, &answer)));

    let begun = begin(auth, b);
    let answer = browser.get(b, &begun.options);
    let host = "b.alice.ts.net".to_owned();
    auth.tables()
        .change(Change::RemoveHost { host })
        .expect("removed");
    let removed = finish(auth, b, &begun, &answer);
    assert!(matches!(removed, Err(AuthError::HostNotAdmitted(_))));

    let (lan, _) = pair(auth, &mut Browser::new(), "https://nas.lan:8443");
    assert_eq!(lan.rp_id.as_str(), "nas.lan");
    let begun = begin(auth, "https://nas.lan:8443");
    let answer = browser.get("https://nas.lan:8443", &begun.options);
    assert!(
        refused(&finish(auth, "https://nas.lan:8443", &begun, &answer)),
        "of another address"
    );
}
