//! Replacing the storage key.

use vault_proto::v1::{
    self, PauseRotationRequest, ResumeRotationRequest, RollBackRotationRequest, RotateRequest,
    RotateResponse, rotate_response::Event,
};

use crate::{Client, Error, secret::Secret};

/// How much a rotation replaces.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum RotationDepth {
    /// The storage key, over the same data keys: its cost does not grow with the data.
    #[default]
    Rewrap,
    /// The data keys, too: every object is rewritten.
    Reencrypt,
}

impl RotationDepth {
    /// The word for it in status output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rewrap => "rewrap",
            Self::Reencrypt => "reencrypt",
        }
    }

    const fn wire(self) -> v1::RotationDepth {
        match self {
            Self::Rewrap => v1::RotationDepth::Rewrap,
            Self::Reencrypt => v1::RotationDepth::Reencrypt,
        }
    }

    const fn received(depth: v1::RotationDepth) -> Option<Self> {
        match depth {
            v1::RotationDepth::Rewrap => Some(Self::Rewrap),
            v1::RotationDepth::Reencrypt => Some(Self::Reencrypt),
            v1::RotationDepth::Unspecified => None,
        }
    }
}

/// Where a rotation stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RotationState {
    /// None is under way.
    Idle,
    /// The next key is kept, nothing is sealed by it.
    Staged,
    /// Objects are being rewritten.
    Rewriting,
    /// Every object was found to open under the new keys.
    Verified,
    /// The next key is the storage key; what is left is to destroy the old ones.
    Promoted,
    /// A state of a later version.
    Unknown,
}

impl RotationState {
    /// The word for it in status output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Staged => "staged",
            Self::Rewriting => "rewriting",
            Self::Verified => "verified",
            Self::Promoted => "promoted",
            Self::Unknown => "unknown",
        }
    }
}

impl From<v1::RotationState> for RotationState {
    fn from(state: v1::RotationState) -> Self {
        match state {
            v1::RotationState::Idle => Self::Idle,
            v1::RotationState::Staged => Self::Staged,
            v1::RotationState::Rewriting => Self::Rewriting,
            v1::RotationState::Verified => Self::Verified,
            v1::RotationState::Promoted => Self::Promoted,
            v1::RotationState::Unspecified => Self::Unknown,
        }
    }
}

/// How far a rotation has come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RotationProgress {
    /// Where it stands.
    pub state: RotationState,
    /// The store being rewritten; empty where none is.
    pub store: String,
    /// Objects rewritten.
    pub objects_done: u64,
    /// Objects to be rewritten in all.
    pub objects_total: u64,
    /// Bytes of bodies, in the clear, rewritten.
    pub bytes_done: u64,
    /// Bytes of bodies, in the clear, to be rewritten in all.
    pub bytes_total: u64,
}

impl From<v1::RotationProgress> for RotationProgress {
    fn from(progress: v1::RotationProgress) -> Self {
        Self {
            state: progress.state().into(),
            store: progress.store,
            objects_done: progress.objects_done,
            objects_total: progress.objects_total,
            bytes_done: progress.bytes_done,
            bytes_total: progress.bytes_total,
        }
    }
}

/// A rotation under way.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "independent of one another, as on the wire"
)]
pub struct Rotation {
    /// Where it stands.
    pub state: RotationState,
    /// How much it replaces; `None` for a depth of a later version.
    pub depth: Option<RotationDepth>,
    /// It is being rolled back.
    pub back: bool,
    /// Paused on purpose.
    pub paused: bool,
    /// Being worked on now.
    pub running: bool,
    /// Why it stopped; empty where it did not.
    pub error: String,
    /// Check value of the key in force before, 16 hex digits.
    pub from: String,
    /// Check value of the key that takes its place.
    pub to: String,
    /// How far it has come.
    pub progress: RotationProgress,
    /// The next key was handed out, to be presented at the next start.
    pub awaits_credential: bool,
}

impl From<v1::Rotation> for Rotation {
    fn from(rotation: v1::Rotation) -> Self {
        Self {
            state: rotation.state().into(),
            depth: RotationDepth::received(rotation.depth()),
            back: rotation.back,
            paused: rotation.paused,
            running: rotation.running,
            error: rotation.error,
            from: rotation.old_fingerprint,
            to: rotation.new_fingerprint,
            progress: rotation.progress.unwrap_or_default().into(),
            awaits_credential: rotation.awaits_credential,
        }
    }
}

/// Where the next storage key comes from. Without `Debug`: it may hold a master key.
#[derive(Clone, Copy, Default)]
pub enum NextKey<'a> {
    /// As the one in force did: random, unless that was derived; `MASTER_NEEDED` then.
    #[default]
    AsBefore,
    /// Derived from the master key of a derived vault.
    Derived(&'a [u8; 32]),
    /// Random, which gives up the derivation of a derived vault.
    Random,
}

/// How a rotation ended, for now.
#[derive(Debug)]
pub struct RotationOutcome {
    /// Check value of the storage key in force, 16 hex digits.
    pub fingerprint: String,
    /// It was paused on purpose.
    pub paused: bool,
    /// It was rolled back: the key is what it was.
    pub rolled_back: bool,
    /// Stores whose old data key was kept, since damaged objects name it.
    pub kept_keys: Vec<String>,
    /// For backend `systemd-creds`: the credential to present at the next start, which completes
    /// the rotation. It comes only once.
    pub credential: Option<Secret>,
    /// Earlier exports of the key do not open the vault any more.
    pub exports_outdated: bool,
}

/// One report of a rotation.
#[derive(Debug)]
pub enum RotationEvent {
    /// It goes on.
    Progress(RotationProgress),
    /// It ended. The last report.
    Done(RotationOutcome),
}

/// A rotation being followed. It goes on in the daemon when this is dropped.
pub struct RotationStream(tonic::Streaming<RotateResponse>);

impl RotationStream {
    /// The next report; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<RotationEvent>, Error> {
        while let Some(message) = self.0.message().await? {
            match message.event {
                Some(Event::Progress(progress)) => {
                    return Ok(Some(RotationEvent::Progress(progress.into())));
                }
                Some(Event::Outcome(outcome)) => {
                    return Ok(Some(RotationEvent::Done(RotationOutcome {
                        fingerprint: outcome.fingerprint,
                        paused: outcome.paused,
                        rolled_back: outcome.rolled_back,
                        kept_keys: outcome.kept_keys,
                        credential: Secret::received(outcome.credential),
                        exports_outdated: outcome.exports_outdated,
                    })));
                }
                // An event of a later version.
                None => {}
            }
        }
        Ok(None)
    }
}

impl Client {
    /// Replaces the storage key, and follows until that is done.
    pub async fn rotate_key(
        &self,
        depth: RotationDepth,
        next: NextKey<'_>,
    ) -> Result<RotationStream, Error> {
        let (master, random) = match next {
            NextKey::AsBefore => (Vec::new(), false),
            NextKey::Derived(master) => (master.to_vec(), false),
            NextKey::Random => (Vec::new(), true),
        };
        let request = RotateRequest {
            depth: depth.wire().into(),
            master,
            random,
        };
        let stream = self.services.keys().rotate(request).await?.into_inner();
        Ok(RotationStream(stream))
    }

    /// Stops a rotation between two objects, until it is resumed.
    pub async fn pause_rotation(&self) -> Result<(), Error> {
        self.services.keys().pause(PauseRotationRequest {}).await?;
        Ok(())
    }

    /// Goes on with a rotation that was paused or stopped by a failure.
    pub async fn resume_rotation(&self) -> Result<RotationStream, Error> {
        let stream = self
            .services
            .keys()
            .resume(ResumeRotationRequest {})
            .await?;
        Ok(RotationStream(stream.into_inner()))
    }

    /// Undoes a rotation that is not promoted yet.
    pub async fn roll_back_rotation(&self) -> Result<RotationStream, Error> {
        let request = RollBackRotationRequest {};
        let stream = self.services.keys().roll_back(request).await?;
        Ok(RotationStream(stream.into_inner()))
    }
}
