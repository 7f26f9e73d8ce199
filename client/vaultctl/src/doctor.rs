//! `vaultctl doctor`.

use vault_client::{Finding, Severity};

use crate::{context::Context, failure::Failure, output, status};

#[derive(clap::Args, Debug)]
pub(crate) struct Doctor {
    /// Do what can be done without losing anything
    #[arg(long)]
    fix: bool,
}

impl Doctor {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.connect().await?;
        status::settled(&client).await?;
        let findings = client.doctor(self.fix).await?;
        for finding in &findings {
            if context.json() {
                output::json(&serde_json::json!({
                    "severity": finding.severity.as_str(),
                    "name": finding.name,
                    "explanation": finding.explanation,
                    "remedies": finding.remedies,
                    "fixed": finding.fixed,
                }))?;
            } else {
                show(finding)?;
            }
        }
        let left = findings.iter().filter(|finding| is_trouble(finding));
        match left.count() {
            0 => Ok(()),
            1 => Err(Failure::other("1 finding needs attention")),
            count => Err(Failure::other(format!("{count} findings need attention"))),
        }
    }
}

fn is_trouble(finding: &Finding) -> bool {
    finding.severity > Severity::Note && !finding.fixed
}

fn show(finding: &Finding) -> Result<(), Failure> {
    let mended = if finding.fixed { " (mended)" } else { "" };
    output::line(&format!(
        "{:<9}{}{mended}",
        finding.severity.as_str(),
        output::printable(&finding.explanation)
    ))?;
    if finding.fixed {
        return Ok(());
    }
    for remedy in &finding.remedies {
        output::line(&format!("  - {}", output::printable(remedy)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_worse_than_a_note_and_not_mended_is_trouble() {
        let finding = |severity, fixed| Finding {
            severity,
            name: String::new(),
            explanation: String::new(),
            remedies: Vec::new(),
            fixed,
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
