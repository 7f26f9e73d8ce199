//! Moving the data root of an earlier version in.

use std::path::PathBuf;

use vault_proto::v1::{
    self, MoveInRequest, MoveInResponse, move_in_request::Conflicts as Wire,
    move_in_response::Event,
};

use crate::{Client, Error};

/// What becomes of an object that the vault has with other content.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum MoveInConflicts {
    /// Nothing is moved in: `REVISION_CONFLICT`.
    #[default]
    Refuse,
    /// The vault's stays.
    Keep,
    /// The one that is moved in takes its place.
    Replace,
}

/// What is being done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MoveInStep {
    /// The legacy root is copied, and each copy read back.
    Copying,
    /// Objects are sealed into the vault.
    Sealing,
    /// They are read back.
    Verifying,
    /// A step of a later version.
    Unknown,
}

/// What was moved in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MovedIn {
    /// The legacy root, which is as it was.
    pub source: PathBuf,
    /// Its vault.
    pub vault_id: String,
    /// It became this data root as a whole.
    pub whole: bool,
    /// Files that were copied.
    pub files: u64,
    /// Of a merge: objects that were looked at.
    pub objects: u64,
    /// Of those: there already, equal.
    pub unchanged: u64,
    /// Of those: not taken, for other content under their name.
    pub kept: u64,
    /// Links and such, which are not copied.
    pub passed_over: u64,
}

/// One report of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MoveInEvent {
    /// It goes on: bytes of a step that are done, and how many there are.
    Progress(MoveInStep, u64, u64),
    /// It is done. The last report.
    Done(MovedIn),
}

/// A legacy root on its way. Dropped, it is stopped, and nothing came in.
pub struct MoveInStream(tonic::Streaming<MoveInResponse>);

impl MoveInStream {
    /// The next report; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<MoveInEvent>, Error> {
        while let Some(message) = self.0.message().await? {
            match message.event {
                Some(Event::Progress(now)) => {
                    let step = step(now.step());
                    let (done, total) = (now.bytes_done, now.bytes_total);
                    return Ok(Some(MoveInEvent::Progress(step, done, total)));
                }
                Some(Event::Outcome(outcome)) => {
                    return Ok(Some(MoveInEvent::Done(outcome.into())));
                }
                // An event of a later version.
                None => {}
            }
        }
        Ok(None)
    }
}

fn step(step: v1::move_in_progress::Step) -> MoveInStep {
    use v1::move_in_progress::Step as Wire;
    match step {
        Wire::Copying => MoveInStep::Copying,
        Wire::Sealing => MoveInStep::Sealing,
        Wire::Verifying => MoveInStep::Verifying,
        Wire::Unspecified => MoveInStep::Unknown,
    }
}

impl From<v1::MoveInOutcome> for MovedIn {
    fn from(outcome: v1::MoveInOutcome) -> Self {
        Self {
            source: outcome.source.into(),
            vault_id: outcome.vault_id,
            whole: outcome.whole,
            files: outcome.files,
            objects: outcome.objects,
            unchanged: outcome.unchanged,
            kept: outcome.kept,
            passed_over: outcome.passed_over,
        }
    }
}

impl Client {
    /// Moves the legacy root that the daemon knows of in, once. `passphrase` opens one whose key lies
    /// under a passphrase.
    pub async fn move_in(
        &self,
        conflicts: MoveInConflicts,
        passphrase: Option<&[u8]>,
    ) -> Result<MoveInStream, Error> {
        let conflicts = match conflicts {
            MoveInConflicts::Refuse => Wire::Unspecified,
            MoveInConflicts::Keep => Wire::Keep,
            MoveInConflicts::Replace => Wire::Replace,
        };
        let request = MoveInRequest {
            conflicts: conflicts.into(),
            passphrase: passphrase.unwrap_or_default().to_vec(),
        };
        let stream = self.services.vault().move_in(request).await?.into_inner();
        Ok(MoveInStream(stream))
    }
}
