//! `vaultctl key rotate`.

use vault_client::{
    Client, Error, KeyStatus, NextKey, RotationDepth, RotationEvent, RotationOutcome,
    RotationProgress, RotationStream,
};

use super::{
    EXPORTS_OUTDATED, INTERRUPTED,
    credential::{self, Credential, CredentialOptions},
    master::{self, Master, MasterOptions},
};
use crate::{bar, context::Context, failure::Failure, interrupt, output, prompt};

#[derive(clap::Args, Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "flags of a command line, as clap has them"
)]
pub(crate) struct Rotate {
    /// Replace the data keys, too: every object is rewritten, while the vault stays in use
    #[arg(long)]
    reencrypt: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Stop the rotation under way, until it is resumed
    #[arg(long, conflicts_with_all = ["resume", "rollback", "reencrypt", "random", "MasterOptions", "CredentialOptions"])]
    pause: bool,
    /// Go on with a rotation that was paused or stopped by a failure
    #[arg(long, conflicts_with_all = ["rollback", "reencrypt", "random", "MasterOptions"])]
    resume: bool,
    /// Undo a rotation that is not complete yet
    #[arg(long, conflicts_with_all = ["reencrypt", "random", "MasterOptions", "CredentialOptions"])]
    rollback: bool,
    /// For a derived key: give up the derivation, the next key is random
    #[arg(long, conflicts_with = "MasterOptions")]
    random: bool,
    #[command(flatten)]
    master: MasterOptions,
    #[command(flatten)]
    credential: CredentialOptions,
}

/// What the next key is made of.
enum Material {
    AsBefore,
    Derived(Master),
    Random,
}

impl Material {
    fn wire(&self) -> NextKey<'_> {
        match self {
            Self::AsBefore => NextKey::AsBefore,
            Self::Derived(master) => NextKey::Derived(master),
            Self::Random => NextKey::Random,
        }
    }
}

impl Rotate {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.open().await?;
        if self.pause {
            client.pause_rotation().await?;
            if context.json() {
                return output::json(&serde_json::json!({ "paused": true }));
            }
            return output::line(
                "the rotation is paused: `vaultctl key rotate --resume` goes on with it; until it \
                 ends, only an export of the key made from now on opens the vault",
            );
        }
        if self.rollback {
            let outcome = interrupt::guarded(INTERRUPTED, async {
                let stream = client.roll_back_rotation().await?;
                follow(stream).await
            });
            return report(context, outcome.await?, None, true);
        }
        let status = client.key_status().await?;
        let target = self.credential.target(&status.keyring_backend, context)?;
        let depth = if self.reencrypt {
            RotationDepth::Reencrypt
        } else {
            RotationDepth::Rewrap
        };
        if !self.resume && !self.yes {
            confirm(depth, &status)?;
        }
        let material = self.material(&status)?;
        let rotated = interrupt::guarded(INTERRUPTED, async {
            let place = target.map(Credential::create).transpose()?;
            let outcome = if self.resume {
                follow(client.resume_rotation().await?).await?
            } else {
                rotate(&client, depth, &material).await?
            };
            report(context, outcome, place, false)
        });
        rotated.await
    }

    /// From what is named, or where a derived key needs it and somebody is there, asked for.
    fn material(&self, status: &KeyStatus) -> Result<Material, Failure> {
        if self.random {
            return Ok(Material::Random);
        }
        if let Some(master) = self.master.read()? {
            return Ok(Material::Derived(master));
        }
        // One under way has its next key already.
        let begins = !self.resume && status.rotation.is_none();
        if begins && status.derived && prompt::possible() {
            return Ok(Material::Derived(master::ask()?));
        }
        Ok(Material::AsBefore)
    }
}

/// Says what a rotation means, and asks.
fn confirm(depth: RotationDepth, status: &KeyStatus) -> Result<(), Failure> {
    let exports = match &status.last_export {
        Some(export) => format!(
            "Earlier exports of the key, the newest of {}, will not open the vault any more.",
            output::time(export.at_ms)
        ),
        None => "Exports of the key made before will not open the vault any more.".to_owned(),
    };
    eprintln!("{exports}");
    if depth == RotationDepth::Reencrypt {
        eprintln!(
            "Every object will be rewritten. To back up first, say no, and run `vaultctl backup \
             FILE` (sealed) or `vaultctl export --plaintext FILE`."
        );
    }
    prompt::confirm("Replace the storage key?", "nothing was replaced")
}

async fn rotate(
    client: &Client,
    depth: RotationDepth,
    material: &Material,
) -> Result<RotationOutcome, Failure> {
    match client.rotate_key(depth, material.wire()).await {
        Ok(stream) => follow(stream).await,
        Err(error) => Err(explained(error)),
    }
}

/// A refusal that this command has the way out of.
fn explained(error: Error) -> Failure {
    let needed = error.reason() == Some("MASTER_NEEDED");
    let failure = Failure::from(error);
    if needed {
        failure.with(
            "name the master key with --master-file FILE, or give up the derivation with --random",
        )
    } else {
        failure
    }
}

/// Shows how far it has come, until it ends.
async fn follow(mut stream: RotationStream) -> Result<RotationOutcome, Failure> {
    let bar = bar::objects(0, "rotating");
    let ended = loop {
        match stream.next().await {
            Ok(Some(RotationEvent::Progress(progress))) => show(&bar, &progress),
            Ok(Some(RotationEvent::Done(outcome))) => break Ok(outcome),
            Ok(None) => {
                break Err(Failure::other(
                    "the daemon stopped reporting before the rotation ended: `vaultctl key status` \
                     shows where it stands",
                ));
            }
            Err(error) => break Err(explained(error)),
        }
    };
    bar.finish_and_clear();
    ended
}

fn show(bar: &indicatif::ProgressBar, progress: &RotationProgress) {
    bar.set_length(progress.objects_total);
    bar.set_position(progress.objects_done);
    let store = output::printable(&progress.store);
    let message = format!("{} {store}", progress.state.as_str());
    bar.set_message(message.trim_end().to_owned());
}

/// Says how it ended. `back`: it was to be rolled back.
fn report(
    context: &Context,
    outcome: RotationOutcome,
    place: Option<Credential>,
    back: bool,
) -> Result<(), Failure> {
    let handed_out = credential::hand_over(place, outcome.credential)?;
    for store in &outcome.kept_keys {
        eprintln!(
            "the old data key of {} was kept, since damaged objects name it: `vaultctl doctor` \
             tells more",
            output::printable(store)
        );
    }
    if context.json() {
        output::json(&serde_json::json!({
            "fingerprint": outcome.fingerprint,
            "paused": outcome.paused,
            "rolled_back": outcome.rolled_back,
            "awaits_credential": handed_out,
            "kept_keys": outcome.kept_keys,
            "exports_outdated": outcome.exports_outdated,
        }))?;
    }
    if outcome.paused {
        return Err(Failure::other(
            "the rotation was paused: `vaultctl key rotate --resume` goes on with it",
        ));
    }
    if outcome.rolled_back && !back {
        return Err(Failure::other(
            "the rotation was rolled back: the storage key is what it was",
        ));
    }
    if handed_out {
        // Standard output may be where the credential went.
        if outcome.exports_outdated {
            eprintln!("From then on, {EXPORTS_OUTDATED}");
        }
        return Ok(());
    }
    if context.json() {
        return Ok(());
    }
    let what = if outcome.rolled_back { "again" } else { "now" };
    output::line(&format!(
        "the storage key is {what} {}",
        outcome.fingerprint
    ))?;
    if outcome.exports_outdated {
        output::line(EXPORTS_OUTDATED)?;
    }
    Ok(())
}
