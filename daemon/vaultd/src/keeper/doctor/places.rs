//! Where the vault lies, and what the daemon runs under.

use std::sync::atomic::Ordering;

use vault_store::legacy;

use crate::{
    doctor::{
        Code, Finding, Fix, Report,
        surroundings::{Places, Surroundings},
    },
    keeper::Keeper,
    locations::{Locations, Looked},
};

impl Keeper {
    /// The places, as they were named.
    pub fn locations(&self) -> &Locations {
        &self.settings.locations
    }

    /// What the disk says of them. Of a legacy root that is just being moved in, nothing.
    pub fn look_at_locations(&self) -> Looked {
        let moving = self.moving_in.load(Ordering::Acquire);
        let mut looked = self.lookout.look(self.locations(), &self.root);
        if moving {
            let under_way = [Code::LegacyRootFound, Code::MoveInInterrupted];
            let of_it = |finding: &Finding| under_way.contains(&finding.code);
            looked.findings.retain(|finding| !of_it(finding));
        }
        looked
    }

    /// Says in the log, once, that a legacy root waits for somebody's word.
    pub(in crate::keeper) fn tell_of_legacy_root(&self) {
        let looked = self.look_at_locations();
        let found = looked
            .findings
            .iter()
            .find(|finding| finding.code == Code::LegacyRootFound);
        if let Some(found) = found {
            let explanation = &found.explanation;
            tracing::warn!(explanation, "`vaultctl doctor --fix` offers to move it in");
        }
    }

    /// Judges the places and this process.
    pub(super) fn look_around(&self, fix: &Fix, report: &mut Report) {
        let findings = self.look_at_locations().findings;
        let mut codes = findings.iter().map(|finding| finding.code);
        let silent = codes.any(|code| code == Code::LocationSilent);
        for finding in findings {
            let wanted = !silent && fix.wants(finding.code);
            let mended = wanted && self.mend_location(finding.code);
            report.findings.push(Finding {
                fixed: mended,
                ..finding
            });
        }
        let surroundings = Surroundings::gather(&Places {
            root: self.settings.data_root.clone(),
            socket: self.locations().socket.clone(),
            passphrase_file: self.passphrase_file(),
            models: (!silent).then(|| self.locations().models.clone()),
            ephemeral: self.is_ephemeral(),
        });
        report.facts.extend(surroundings.facts());
        for finding in surroundings.judge() {
            let closes = finding.code == Code::PathOpenToOthers && fix.wants(finding.code);
            report.findings.push(Finding {
                fixed: closes && surroundings.close_to_others(),
                ..finding
            });
        }
    }

    /// Whether a finding about a place is mended now. Moving a legacy root in takes a call of its own.
    fn mend_location(&self, code: Code) -> bool {
        let done = match code {
            Code::ModelsRootMissing => {
                // For the user alone: nothing this process creates is for others.
                std::fs::create_dir_all(&self.locations().models).map_err(|error| error.to_string())
            }
            Code::MoveInInterrupted => match self.turn_to_move_in() {
                Some(_alone) => legacy::clear(&self.root).map_err(|error| error.to_string()),
                None => return false,
            },
            _ => return false,
        };
        if let Err(error) = &done {
            tracing::warn!(%code, error, "it could not be mended");
        }
        done.is_ok()
    }
}
