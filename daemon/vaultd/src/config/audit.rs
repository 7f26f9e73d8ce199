//! `[audit]`: what is recorded, and what happens where that cannot be done.

use std::{fmt, time::Duration};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};
use vault_store::audit::Bounds;

use super::ConfigError;
use crate::audit::{AuditSettings, Calls, Policy};

/// Segments of a log: so many at least, each no larger than the default.
const SEGMENTS: u64 = 16;

/// The section as it is written.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Settings {
    policy: String,
    calls: String,
    size_mib: u64,
    anchor_records: u64,
    anchor_seconds: u64,
}

impl Default for Settings {
    fn default() -> Self {
        let settings = AuditSettings::default();
        Self {
            policy: settings.policy.as_str().to_owned(),
            calls: settings.calls.as_str().to_owned(),
            size_mib: settings.bounds.total >> 20,
            anchor_records: settings.anchor_records,
            anchor_seconds: settings.anchor_after.as_secs(),
        }
    }
}

/// Reads the section: `audit = "required"` is short for its policy alone.
pub(super) fn policy_or_table<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Settings, D::Error> {
    struct Section;

    impl<'de> Visitor<'de> for Section {
        type Value = Settings;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a policy (`required` or `best-effort`) or a table with one")
        }

        fn visit_str<E>(self, policy: &str) -> Result<Settings, E> {
            Ok(Settings {
                policy: policy.to_owned(),
                ..Settings::default()
            })
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Settings, A::Error> {
            Settings::deserialize(MapAccessDeserializer::new(map))
        }
    }

    deserializer.deserialize_any(Section)
}

impl Settings {
    pub(super) fn check(&self) -> Result<AuditSettings, ConfigError> {
        let policy = [Policy::Required, Policy::BestEffort];
        let policy = policy.into_iter().find(|one| one.as_str() == self.policy);
        let policy = policy.ok_or_else(|| {
            ConfigError(format!(
                "audit.policy `{}` is neither `required` nor `best-effort`",
                self.policy
            ))
        })?;
        let calls = [Calls::Sensitive, Calls::Writes, Calls::All];
        let calls = calls.into_iter().find(|one| one.as_str() == self.calls);
        let calls = calls.ok_or_else(|| {
            ConfigError(format!(
                "audit.calls `{}` is none of `sensitive`, `writes`, `all`",
                self.calls
            ))
        })?;
        let total = self.size_mib.checked_mul(1 << 20).filter(|size| *size > 0);
        let total = total.ok_or_else(|| {
            let text = "audit.size_mib is how large the log becomes: 1 or more";
            ConfigError(text.to_owned())
        })?;
        if self.anchor_records == 0 || self.anchor_seconds == 0 {
            let text = "audit.anchor_records and audit.anchor_seconds are 1 or more";
            return Err(ConfigError(text.to_owned()));
        }
        Ok(AuditSettings {
            policy,
            calls,
            bounds: Bounds {
                segment: Bounds::default().segment.min(total / SEGMENTS),
                total,
            },
            anchor_records: self.anchor_records,
            anchor_after: Duration::from_secs(self.anchor_seconds),
        })
    }
}

#[cfg(test)]
mod tests {
    use figment::{
        Figment,
        providers::{Format as _, Toml},
    };

    use super::*;

    fn read(toml: &str) -> Result<AuditSettings, String> {
        #[derive(Deserialize)]
        struct File {
            #[serde(default, deserialize_with = "policy_or_table")]
            audit: Settings,
        }
        let file: File = Figment::from(Toml::string(toml))
            .extract()
            .map_err(|error| error.to_string())?;
        file.audit.check().map_err(|error| error.to_string())
    }

    #[test]
    fn the_policy_stands_alone_or_in_a_table() {
        assert_eq!(read(""), Ok(AuditSettings::default()));
        for toml in ["audit = \"required\"", "[audit]\npolicy = \"required\""] {
            let settings = read(toml).expect("valid");
            assert_eq!(settings.policy, Policy::Required, "{toml}");
            assert_eq!(settings.calls, Calls::Sensitive);
        }
        let settings = read("[audit]\ncalls = \"all\"\nsize_mib = 1").expect("valid");
        assert_eq!(
            (settings.calls, settings.policy),
            (Calls::All, Policy::BestEffort)
        );
        assert_eq!(
            settings.bounds,
            Bounds {
                segment: 1 << 16,
                total: 1 << 20
            }
        );
    }

    #[test]
    fn whatever_else_is_said_is_an_error_that_names_it() {
        for (toml, word) in [
            ("audit = \"never\"", "never"),
            ("audit = 7", "policy"),
            ("[audit]\ncals = \"all\"", "cals"),
            ("[audit]\ncalls = \"some\"", "some"),
            ("[audit]\nsize_mib = 0", "size_mib"),
            ("[audit]\nanchor_seconds = 0", "anchor_seconds"),
        ] {
            let error = read(toml).expect_err("refused");
            assert!(error.contains(word), "{toml}: {error}");
        }
    }
}
