//! Audit logs that are not written, not known to the keyring, or not the one they should be.

use std::fs;

use vault_client::Mend;

use super::Stage;
use crate::{
    audit::{log_files, put_back, set},
    support::{Home, keyring::Session, settled_open, until},
};

pub(super) async fn audit_failing() -> Stage {
    let home = Home::new();
    home.light_vault("root");
    // Where its folder should be.
    fs::write(home.path("root/audit"), b"in the way").expect("written");
    let served = home.unlocked("root").await;
    Stage::of(home, served)
}

pub(super) async fn audit_mismatch() -> Stage {
    let Some(session) = Session::start() else {
        return Stage::Skipped;
    };
    let home = &session.home;
    let mut daemon = home.start("root", &[]);
    set(&daemon.client().await, "a:one").await;
    assert!(daemon.terminate().await.success());
    let before = log_files(home);
    let mut daemon = home.start("root", &[]);
    settled_open(&daemon.client().await).await;
    assert!(daemon.terminate().await.success());
    put_back(&before, home);
    let daemon = home.start("root", &[]);
    let client = daemon.client().await;
    settled_open(&client).await;
    until("it was compared", async || {
        let status = client.audit_status().await;
        status.is_ok_and(|status| !status.mismatch.is_empty())
    })
    .await;
    Stage::in_session(session, (daemon, client))
}

pub(super) async fn audit_unanchored() -> Stage {
    let Some(session) = Session::start() else {
        return Stage::Skipped;
    };
    session.home.configure("[audit]\nanchor_records = 1");
    let daemon = session.home.start("root", &[]);
    let client = daemon.client().await;
    set(&client, "a:one").await;
    session.lock_keyring();
    until("the keyring was asked in vain", async || {
        // Recorded, like every call that may mend something.
        let _ = client.doctor(Mend::Nothing).await;
        let status = client.audit_status().await;
        status.is_ok_and(|status| !status.anchor_failure.is_empty())
    })
    .await;
    Stage::in_session(session, (daemon, client))
}
