//! Verdicts over callers of every kind.

use std::sync::Arc;

use tonic_types::StatusExt as _;
use vault_auth::{
    Admitted, Permission, RequestParts, RpId, Standing, StorePattern, StoreScope, WebRequest,
};

use super::*;
use crate::{
    permission::{TABLE, find},
    principal::{Judged, Peer, PrincipalKind},
};

const PEER: Peer = Peer {
    uid: Some(1000),
    pid: Some(1),
    process: None,
};

fn request(host: &str) -> WebRequest {
    let parts = RequestParts {
        method: "POST",
        scheme: "https",
        host,
        origin: None,
        fetch_site: None,
        peer: "10.0.0.7:50000",
        forwarded: false,
        user_agent: None,
    };
    WebRequest::parse(&parts).expect("a request")
}

fn judged(admitted: Admitted, request: Option<WebRequest>) -> Principal {
    Principal::Judged(Arc::new(Judged {
        peer: PEER,
        admitted,
        request,
    }))
}

fn token(scopes: &[(&str, Permission)]) -> Principal {
    let scope = |(stores, permission): &(&str, Permission)| StoreScope {
        stores: StorePattern::parse(stores).expect("a pattern"),
        permission: *permission,
    };
    let admitted = Admitted {
        standing: Standing::Token("t".into()),
        access: Some(Arc::new(Access::Scoped(scopes.iter().map(scope).collect()))),
        host_admitted: true,
        ..Admitted::default()
    };
    judged(admitted, None)
}

fn browser(standing: Standing) -> Principal {
    let access = (standing != Standing::Nobody).then(|| Arc::new(Access::Full));
    let admitted = Admitted {
        standing,
        access,
        host_admitted: true,
        ..Admitted::default()
    };
    judged(admitted, Some(request("vault.example.org")))
}

fn rule(method: &str) -> &'static Rule {
    find(&format!("/vault.v1.{method}")).expect("a rule")
}

fn refused(verdict: Result<Verdict, Box<Status>>) -> String {
    let status = verdict.expect_err("refused");
    let details = status.get_error_details();
    details.error_info().expect("a reason").reason.clone()
}

fn store(name: &str) -> Vec<Named> {
    vec![Named::Store(name.to_owned())]
}

#[test]
fn the_owner_may_everything_but_what_takes_a_browser() {
    let owner = Principal::Owner(PEER);
    let browsers = [
        "/vault.v1.Auth/BeginRegistration",
        "/vault.v1.Auth/FinishRegistration",
        "/vault.v1.Auth/BeginLogin",
        "/vault.v1.Auth/FinishLogin",
        "/vault.v1.Logins/Describe",
        "/vault.v1.Logins/Decide",
        "/vault.v1.Logins/Authorize",
    ];
    for rule in TABLE {
        let verdict = judge(rule, &owner);
        let admitted = matches!(verdict, Ok(Verdict::Admitted));
        assert_eq!(
            admitted,
            !browsers.contains(&rule.method),
            "{}",
            rule.method
        );
    }
}

#[test]
fn nobody_gets_to_what_asks_nothing_of_anybody_and_no_further() {
    let nobody = browser(Standing::Nobody);
    let open: Vec<_> = TABLE
        .iter()
        .filter(|rule| judge(rule, &nobody).is_ok())
        .map(|rule| rule.method)
        .collect();
    assert_eq!(
        open,
        [
            "/vault.v1.Auth/Status",
            "/vault.v1.Auth/BeginRegistration",
            "/vault.v1.Auth/FinishRegistration",
            "/vault.v1.Auth/BeginLogin",
            "/vault.v1.Auth/FinishLogin",
            "/vault.v1.Auth/Logout",
            "/vault.v1.Logins/BeginDevice",
            "/vault.v1.Logins/Exchange",
            "/grpc.health.v1.Health/Check",
            "/grpc.health.v1.Health/Watch",
        ]
    );
    assert_eq!(
        refused(judge(rule("Documents/Get"), &nobody)),
        "UNAUTHENTICATED"
    );
}

#[test]
fn an_address_without_a_passkey_asks_to_be_paired() {
    let host = request("vault.example.org").host;
    let admitted = Admitted {
        host_admitted: true,
        relying_party: Some(RpId::of(&host).expect("a name")),
        ..Admitted::default()
    };
    let nobody = judged(admitted, Some(request("vault.example.org")));
    assert_eq!(
        refused(judge(rule("Documents/Get"), &nobody)),
        "PAIRING_REQUIRED"
    );
}

#[test]
fn a_host_that_is_not_admitted_gets_to_pairing_alone() {
    let stranger = judged(Admitted::default(), Some(request("rebound.example.org")));
    let open: Vec<_> = TABLE
        .iter()
        .filter(|rule| judge(rule, &stranger).is_ok())
        .map(|rule| rule.method)
        .collect();
    assert_eq!(
        open,
        [
            "/vault.v1.Auth/Status",
            "/vault.v1.Auth/BeginRegistration",
            "/vault.v1.Auth/FinishRegistration",
            "/grpc.health.v1.Health/Check",
            "/grpc.health.v1.Health/Watch",
        ]
    );
    assert_eq!(
        refused(judge(rule("Auth/BeginLogin"), &stranger)),
        "HOST_NOT_ADMITTED"
    );
}

#[test]
fn whoever_is_let_in_by_a_rule_does_not_change_the_rules() {
    for method in ["Auth/Configure", "Auth/Accept"] {
        for standing in [Standing::Open, Standing::Session("s".into())] {
            assert_eq!(
                refused(judge(rule(method), &browser(standing))),
                "PERMISSION_DENIED"
            );
        }
        assert!(judge(rule(method), &browser(Standing::Loopback)).is_ok());
        assert!(judge(rule(method), &token(&[("*", Permission::Admin)])).is_ok());
        assert!(judge(rule(method), &token(&[("*", Permission::Write)])).is_err());
    }
}

#[test]
fn a_token_reaches_the_stores_of_its_scopes_so_far_and_no_others() {
    let token = token(&[("chat/*", Permission::Write), ("notes", Permission::Read)]);
    let reaches = |method: &str, name: &str| {
        let rule = rule(method);
        let verdict = judge(rule, &token).expect("by the stores");
        assert!(matches!(verdict, Verdict::ByStores(_)), "{method}");
        judge_stores(rule, &token, &store(name)).is_ok()
    };
    assert!(reaches("Documents/Put", "chat/today"));
    assert!(reaches("Documents/Get", "chat/today"));
    assert!(reaches("Documents/Get", "notes"));
    assert!(!reaches("Documents/Put", "notes"));
    assert!(!reaches("Documents/Get", "chat"));
    assert!(!reaches("Documents/Get", "chatter/today"));
    assert!(!reaches("Documents/Get", "chat/../notes"));
    assert!(!reaches("Documents/Get", ""));
    assert!(!reaches("Stores/Remove", "chat/today"));
    // All that a call names must be reached.
    let both = [store("chat/today"), store("blobs")].concat();
    assert!(judge_stores(rule("Documents/Put"), &token, &both).is_err());
    assert!(judge_stores(rule("Documents/Put"), &token, &[]).is_err());
    assert!(judge_stores(rule("Documents/Put"), &token, &[Named::Every]).is_err());
}

#[test]
fn what_is_not_a_store_takes_a_scope_on_all_of_them() {
    let narrow = token(&[
        ("chat/*", Permission::Admin),
        ("connections", Permission::Read),
    ]);
    let wide = |permission| token(&[("*", permission)]);
    for method in [
        "Keys/Rotate",
        "Archives/Export",
        "Secrets/Get",
        "Tokens/Create",
    ] {
        assert_eq!(
            refused(judge(rule(method), &narrow)),
            "PERMISSION_DENIED",
            "{method}"
        );
        assert!(
            judge(rule(method), &wide(Permission::Write)).is_err(),
            "{method}"
        );
        assert!(
            judge(rule(method), &wide(Permission::Admin)).is_ok(),
            "{method}"
        );
    }
    assert!(judge(rule("Secrets/List"), &narrow).is_err());
    assert!(judge(rule("Secrets/List"), &wide(Permission::Read)).is_ok());
    // Connections are a store of their own; their keys are secrets.
    assert!(judge(rule("Connections/List"), &narrow).is_ok());
    assert!(judge(rule("Connections/Activate"), &narrow).is_err());
    assert!(judge(rule("Connections/Save"), &narrow).is_err());
    // A listing shows what is reached.
    assert!(judge(rule("Stores/List"), &narrow).is_ok());
}

#[test]
fn what_reaches_a_secret_is_recorded_and_needs_more_than_a_store() {
    for method in [
        "Secrets/Get",
        "Secrets/Set",
        "Secrets/Delete",
        "Connections/Save",
    ] {
        let rule = rule(method);
        assert!(rule.recorded.always(), "{method}");
        assert_eq!(rule.scope.permission(), Permission::Admin, "{method}");
        assert!(matches!(rule.reach, Reach::Vault), "{method}");
    }
}

#[test]
fn a_token_over_http_is_no_token_of_the_socket() {
    let Principal::Judged(socket) = token(&[("*", Permission::Admin)]) else {
        panic!("a token is judged")
    };
    let web = judged(socket.admitted.clone(), Some(request("vault.example.org")));
    assert_eq!(web.kind(), PrincipalKind::WebToken);
    assert_eq!(
        refused(judge(rule("Auth/Configure"), &web)),
        "PERMISSION_DENIED"
    );
    assert!(judge(rule("Tokens/Create"), &web).is_ok());
}
