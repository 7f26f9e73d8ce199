//! A legacy root on its way in.

use std::ops::ControlFlow;

use tokio::sync::mpsc;
use vault_proto::v1::{
    MoveInOutcome, MoveInProgress, MoveInRequest, MoveInResponse, move_in_progress::Step,
    move_in_request::Conflicts as Wire, move_in_response::Event,
};
use vault_store::archive::Conflicts;

use super::{ANSWER_DEPTH, Answer, Services, vault::secret};
use crate::keeper::{
    Keeper,
    moving_in::{MoveIn, MovedIn},
};

/// Begins on a thread of its own; what comes of it is the answer. Nobody reading on ends it.
pub(super) fn begin(services: &Services, request: MoveInRequest) -> Answer<MoveInResponse> {
    let how = MoveIn {
        conflicts: match request.conflicts() {
            Wire::Unspecified => Conflicts::Refuse,
            Wire::Keep => Conflicts::Keep,
            Wire::Replace => Conflicts::Replace,
        },
        passphrase: secret(request.passphrase),
    };
    let (sender, receiver) = mpsc::channel(ANSWER_DEPTH);
    let services = services.clone();
    tokio::spawn(async move {
        let progress = sender.clone();
        let work = move |keeper: &Keeper| {
            keeper.move_in(&how, &mut |step, done, total| {
                // Left out where there is no room: the next one says more.
                match progress.try_send(Ok(told(step, done, total))) {
                    Err(mpsc::error::TrySendError::Closed(_)) => ControlFlow::Break(()),
                    _ => ControlFlow::Continue(()),
                }
            })
        };
        let ended = services.run(work).await.map(|moved| MoveInResponse {
            event: Some(Event::Outcome(outcome(moved))),
        });
        // A client that went away needs no answer.
        let _ = sender.send(ended).await;
    });
    Answer::new(receiver)
}

fn told(step: Step, bytes_done: u64, bytes_total: u64) -> MoveInResponse {
    let progress = MoveInProgress {
        step: step.into(),
        bytes_done,
        bytes_total,
    };
    MoveInResponse {
        event: Some(Event::Progress(progress)),
    }
}

fn outcome(moved: MovedIn) -> MoveInOutcome {
    let merged = moved.merged;
    MoveInOutcome {
        source: moved.source,
        vault_id: moved.vault.to_string(),
        whole: merged.is_none(),
        files: moved.copied.files,
        objects: merged.map_or(0, |merged| merged.objects),
        unchanged: merged.map_or(0, |merged| merged.unchanged),
        kept: merged.map_or(0, |merged| merged.kept),
        passed_over: moved.copied.passed_over,
    }
}
