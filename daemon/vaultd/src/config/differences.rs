//! What a newer configuration changes, and whether that needs a restart.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Settings;

/// Settings that are taken over while the daemon runs. Whatever is not among them was made use of as
/// it started: places for calls, the keyring, the size classes of an open vault.
const AT_ONCE: [&str; 17] = [
    "log",
    "idle_lock",
    "passphrase_file",
    "maintenance.optimize",
    "maintenance.checkpoint",
    "maintenance.vacuum",
    "maintenance.collect",
    "maintenance.blob_grace",
    "maintenance.idle_seconds",
    "limits.connections",
    "limits.first_bytes_seconds",
    "limits.call_seconds",
    "limits.stream_idle_seconds",
    "limits.statement_seconds",
    "limits.query_seconds",
    "limits.transaction_seconds",
    "limits.drain_seconds",
];

/// Names of settings that changed, as they are written in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// In force from now on.
    pub at_once: Vec<String>,
    /// In force after a restart.
    pub after_restart: Vec<String>,
}

impl Differences {
    pub(super) fn between(older: &Settings, newer: &Settings) -> Self {
        let (older, newer) = (flat(older), flat(newer));
        let mut differences = Self::default();
        let names = older
            .keys()
            .chain(newer.keys().filter(|name| !older.contains_key(*name)));
        for name in names.filter(|name| older.get(*name) != newer.get(*name)) {
            if AT_ONCE.contains(&name.as_str()) {
                differences.at_once.push(name.clone());
            } else {
                differences.after_restart.push(name.clone());
            }
        }
        differences
    }
}

/// Each setting by its name, with its sections before it.
fn flat(settings: &Settings) -> BTreeMap<String, Value> {
    fn add(name: String, value: Value, flat: &mut BTreeMap<String, Value>) {
        match value {
            Value::Object(section) => {
                for (key, value) in section {
                    let name = if name.is_empty() {
                        key
                    } else {
                        format!("{name}.{key}")
                    };
                    add(name, value, flat);
                }
            }
            value => {
                flat.insert(name, value);
            }
        }
    }
    let mut all = BTreeMap::new();
    // Text keys and plain values: there is nothing in it that JSON could not hold.
    let value = serde_json::to_value(settings).unwrap_or_default();
    add(String::new(), value, &mut all);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(toml: &str) -> Settings {
        use figment::providers::{Format as _, Serialized, Toml};
        figment::Figment::from(Serialized::defaults(Settings::default()))
            .merge(Toml::string(toml))
            .extract()
            .expect("valid")
    }

    #[test]
    fn each_setting_is_named_by_when_it_counts() {
        let older = settings("idle_lock = \"15m\"\n[size_classes]\nchat = 1");
        let newer = settings(
            "log = \"debug\"\nkeyring = \"os\"\n[limits]\nconnections = 7\nstatements = 3\n\
             [maintenance]\nvacuum = \"off\"\n[size_classes]\ncard = 2",
        );
        let found = Differences::between(&older, &newer);
        let at_once = [
            "idle_lock",
            "limits.connections",
            "log",
            "maintenance.vacuum",
        ];
        assert_eq!(found.at_once, at_once);
        let later = [
            "keyring",
            "limits.statements",
            "size_classes.chat",
            "size_classes.card",
        ];
        assert_eq!(found.after_restart, later);
        assert_eq!(Differences::between(&newer, &newer), Differences::default());
    }

    #[test]
    fn every_name_is_that_of_a_setting() {
        let all = flat(&Settings::default());
        for name in AT_ONCE {
            assert!(all.contains_key(name), "{name}");
        }
    }
}
