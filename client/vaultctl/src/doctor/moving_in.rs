//! The legacy root, moved in.

use vault_client::{Client, Error, MoveInConflicts, MoveInEvent, MoveInStep, MovedIn};

use crate::{bar, context::Context, failure::Failure, output, passphrase};

/// Which of two objects stays.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(super) enum Conflicts {
    /// The vault's
    Keep,
    /// The legacy root's
    Replace,
}

/// Moves it in, and says what came of it. Where its key lies under a passphrase, asks for that.
pub(super) async fn run(
    context: &Context,
    client: &Client,
    conflicts: Option<Conflicts>,
) -> Result<String, Failure> {
    let conflicts = match conflicts {
        None => MoveInConflicts::Refuse,
        Some(Conflicts::Keep) => MoveInConflicts::Keep,
        Some(Conflicts::Replace) => MoveInConflicts::Replace,
    };
    let file = context.global.passphrase_file.as_deref();
    let given = file.map(|file| passphrase::read(Some(file))).transpose()?;
    let given = given.as_ref().map(|given| given.as_slice());
    let moved = match follow(client, conflicts, given).await {
        Err(Error::Refused(refusal)) if refusal.reason == "UNFIT_SECRET" && given.is_none() => {
            eprintln!("The key of the legacy root lies under a passphrase of its own.");
            let asked = passphrase::read(None)?;
            follow(client, conflicts, Some(&asked)).await?
        }
        moved => moved?,
    };
    Ok(describe(&moved))
}

async fn follow(
    client: &Client,
    conflicts: MoveInConflicts,
    passphrase: Option<&[u8]>,
) -> Result<MovedIn, Error> {
    let mut stream = client.move_in(conflicts, passphrase).await?;
    let bar = bar::bytes(0, "moving in");
    let moved = loop {
        match stream.next().await {
            Ok(Some(MoveInEvent::Progress(step, done, total))) => {
                bar.set_message(word(step));
                bar.set_length(total);
                bar.set_position(done);
            }
            Ok(Some(MoveInEvent::Done(moved))) => break Ok(moved),
            Ok(None) => break Err(Error::Local("vaultd ended before it was done".to_owned())),
            Err(error) => break Err(error),
        }
    };
    bar.finish_and_clear();
    moved
}

const fn word(step: MoveInStep) -> &'static str {
    match step {
        MoveInStep::Copying => "copying",
        MoveInStep::Sealing => "sealing",
        MoveInStep::Verifying => "reading back",
        MoveInStep::Unknown => "moving in",
    }
}

fn describe(moved: &MovedIn) -> String {
    let source = moved.source.display();
    let mut text = if moved.whole {
        let files = output::count(moved.files, "file");
        format!(
            "{source} moved in as a whole: {files}, vault {}",
            moved.vault_id
        )
    } else {
        format!(
            "{source} moved in: {}, {} of them there already, {} left out",
            output::count(moved.objects, "object"),
            moved.unchanged,
            moved.kept
        )
    };
    if moved.passed_over > 0 {
        let others = output::count(moved.passed_over, "link or such");
        text = format!("{text}; {others} not copied");
    }
    format!("{text}. It is as it was")
}
