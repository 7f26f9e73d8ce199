//! Where key and rotation stand, as the wire has it.

use vault_proto::v1::{
    KeyExport, KeysStatusResponse, Rotation, RotationDepth, RotationProgress, RotationState,
};
use vault_store::{
    rotation::{self, Depth},
    vault::{Evidence, SaltState, Vault},
};

use super::convert;
use crate::keeper::{Keeper, rotation::opens};

fn state(state: rotation::RotationState) -> RotationState {
    match state {
        rotation::RotationState::Staged => RotationState::Staged,
        rotation::RotationState::Rewriting => RotationState::Rewriting,
        rotation::RotationState::Verified => RotationState::Verified,
        rotation::RotationState::Promoted => RotationState::Promoted,
    }
}

pub(super) fn progress(progress: &rotation::RotationProgress) -> RotationProgress {
    RotationProgress {
        state: state(progress.state).into(),
        store: progress
            .store
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        objects_done: progress.done.objects,
        objects_total: progress.total.objects,
        bytes_done: progress.done.bytes,
        bytes_total: progress.total.bytes,
    }
}

pub(super) fn status(keeper: &Keeper) -> KeysStatusResponse {
    let key = keeper.status();
    let mut response = KeysStatusResponse {
        vault_id: key.vault_id.unwrap_or_default(),
        keyring_backend: key.backend,
        ..KeysStatusResponse::default()
    };
    let evidence = Evidence::gather(keeper.root()).ok();
    if let Some(tombstone) = evidence.as_ref().and_then(Evidence::tombstone) {
        response.reset = Some(convert::timestamp(tombstone.at));
    }
    // Of a vault that is not open, its public files tell.
    let header = match &key.vault {
        Ok(vault) => Some(vault.header()),
        Err(_) => evidence.as_ref().and_then(Evidence::header).cloned(),
    };
    if let Some(header) = header {
        response.derived = header.derived;
        response.moving_to = header.moving.map(|moving| moving.to).unwrap_or_default();
        response.last_export = header.last_export.map(|export| KeyExport {
            at: Some(convert::timestamp(export.at)),
            fingerprint: export.fingerprint.to_string(),
            opens: match &key.vault {
                Ok(vault) => opens(export.fingerprint, vault),
                Err(_) => export.fingerprint == header.fingerprint,
            },
        });
    }
    if let Ok(vault) = key.vault {
        response.fingerprint = vault.fingerprint().to_string();
        if let SaltState::Problem(problem) | SaltState::Unchecked(problem) = vault.salt() {
            response.salt_problem = problem;
        }
        response.rotation = rotation_of(keeper, &vault);
        response.kept_keys = vault.kept_keys();
    } else {
        let record = rotation::RotationRecord::read(keeper.root()).ok().flatten();
        response.rotation = record.map(|record| describe(&record));
    }
    response
}

fn describe(record: &rotation::RotationRecord) -> Rotation {
    let depth = match record.depth {
        Depth::Rewrap => RotationDepth::Rewrap,
        Depth::Reencrypt => RotationDepth::Reencrypt,
    };
    Rotation {
        state: state(record.state).into(),
        depth: depth.into(),
        back: record.back,
        paused: record.paused,
        old_fingerprint: record.from.to_string(),
        new_fingerprint: record.to.to_string(),
        awaits_credential: record.handed_out && record.state == rotation::RotationState::Staged,
        ..Rotation::default()
    }
}

fn rotation_of(keeper: &Keeper, vault: &Vault) -> Option<Rotation> {
    let status = keeper.rotation_status(vault)?;
    Some(Rotation {
        running: status.running,
        error: status.error.unwrap_or_default(),
        progress: status.progress.as_ref().map(progress),
        ..describe(&status.record)
    })
}
