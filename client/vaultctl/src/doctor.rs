//! `vaultctl doctor`: what is wrong, and with `--fix`, each remedy for a yes.

mod mending;
mod moving_in;
mod show;

use vault_client::{Finding, Mend, Severity};

use self::moving_in::Conflicts;
use crate::{context::Context, failure::Failure, prompt, status};

#[derive(clap::Args, Debug)]
pub(crate) struct Doctor {
    /// Offer what can be done without losing anything, one by one
    #[arg(long)]
    fix: bool,
    /// Do not ask: yes to all of it
    #[arg(long, requires = "fix")]
    yes: bool,
    /// What becomes of objects that both a legacy root and the vault have, with other content
    #[arg(long, requires = "fix", value_enum, value_name = "WHICH")]
    conflicts: Option<Conflicts>,
}

impl Doctor {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.connect().await?;
        status::settled(&client).await?;
        let before = client.doctor(Mend::Nothing).await?;
        let report = if self.fix {
            self.may_ask()?;
            self.mend(context, &client, before).await?
        } else {
            before
        };
        show::report(context, &report)?;
        let left = report.findings.iter().filter(|finding| is_trouble(finding));
        match left.count() {
            0 => Ok(()),
            1 => Err(Failure::other("1 finding needs attention")),
            count => Err(Failure::other(format!("{count} findings need attention"))),
        }
    }

    /// Nothing is begun where nobody can answer.
    fn may_ask(&self) -> Result<(), Failure> {
        if self.yes || prompt::possible() {
            Ok(())
        } else {
            Err(Failure::usage(
                "there is nobody to ask: say yes to all of it with --yes",
            ))
        }
    }
}

/// Whether somebody has to do something about it.
fn is_trouble(finding: &Finding) -> bool {
    finding.severity > Severity::Note && !finding.fixed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_worse_than_a_note_and_not_mended_is_trouble() {
        let finding = |severity, fixed| Finding {
            severity,
            reason_code: String::new(),
            explanation: String::new(),
            remedies: Vec::new(),
            fixed,
            fix: String::new(),
        };
        for severity in [Severity::Ok, Severity::Note] {
            assert!(!is_trouble(&finding(severity, false)));
        }
        for severity in [Severity::Warning, Severity::Error, Severity::Unknown] {
            assert!(is_trouble(&finding(severity, false)));
            assert!(!is_trouble(&finding(severity, true)));
        }
    }
}
