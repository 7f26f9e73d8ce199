//! `[maintenance]`: how often databases and blobs are looked after.

use std::time::Duration;

use jiff::{Span, SpanRelativeTo};
use serde::{Deserialize, Serialize};
use vault_store::maintenance::{Operation, Schedule};

use super::ConfigError;

/// What turns an operation off.
const OFF: &str = "off";

/// The section as it is written.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Settings {
    optimize: String,
    checkpoint: String,
    vacuum: String,
    collect: String,
    blob_grace: String,
    idle_seconds: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            optimize: "6h".to_owned(),
            checkpoint: "7d".to_owned(),
            vacuum: "30d".to_owned(),
            collect: "1d".to_owned(),
            blob_grace: "1d".to_owned(),
            idle_seconds: 60,
        }
    }
}

/// How databases and blobs are looked after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Maintenance {
    /// How often what is done.
    pub schedule: Schedule,
    /// For how long nobody has worked with a database when upkeep may.
    pub quiet: Duration,
    /// How long nothing must have named a blob that is removed.
    pub blob_grace: Duration,
}

impl Settings {
    pub(super) fn check(&self) -> Result<Maintenance, ConfigError> {
        Ok(Maintenance {
            schedule: Schedule {
                optimize: interval(Operation::Optimize, &self.optimize)?,
                checkpoint: interval(Operation::Checkpoint, &self.checkpoint)?,
                vacuum: interval(Operation::Vacuum, &self.vacuum)?,
                collect: interval(Operation::Collect, &self.collect)?,
            },
            blob_grace: time(&self.blob_grace).ok_or_else(|| {
                let text = &self.blob_grace;
                ConfigError(format!(
                    "maintenance.blob_grace `{text}` is no time: write it like `12h` or `7d`"
                ))
            })?,
            quiet: Duration::from_secs(self.idle_seconds),
        })
    }
}

/// A time such as `6h`, `7d` or `1d 12h`, or `off`.
fn interval(operation: Operation, text: &str) -> Result<Option<Duration>, ConfigError> {
    if text == OFF {
        return Ok(None);
    }
    time(text).map(Some).ok_or_else(|| {
        let key = operation.name();
        ConfigError(format!(
            "maintenance.{key} `{text}` is no time: write it like `6h` or `30d`, or `off`"
        ))
    })
}

/// A time that is not zero.
fn time(text: &str) -> Option<Duration> {
    let span = text.parse::<Span>().ok()?;
    let time = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    Duration::try_from(time).ok().filter(|time| !time.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(toml: &str) -> Result<Maintenance, String> {
        let settings: Settings =
            figment::Figment::from(figment::providers::Serialized::defaults(Settings::default()))
                .merge(<figment::providers::Toml as figment::providers::Format>::string(toml))
                .extract()
                .map_err(|error| error.to_string())?;
        settings.check().map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_not_said_is_the_usual_schedule() {
        let found = check("").expect("valid");
        assert_eq!(found.schedule, Schedule::default());
        assert_eq!(found.quiet, Duration::from_secs(60));
        assert_eq!(found.blob_grace, vault_store::collection::GRACE);
    }

    #[test]
    fn intervals_are_times_or_off() {
        let toml =
            "optimize = \"off\"\ncheckpoint = \"1d 12h\"\nvacuum = \"90m\"\nidle_seconds = 0";
        let found = check(toml).expect("valid");
        assert_eq!(found.schedule.optimize, None);
        let hours = |hours: u64| Some(Duration::from_secs(hours * 3600));
        assert_eq!(found.schedule.checkpoint, hours(36));
        assert_eq!(found.schedule.vacuum, Some(Duration::from_secs(90 * 60)));
        assert_eq!(found.quiet, Duration::ZERO);
        for bad in ["soon", "0s", "-5m", "", "1 month", "6"] {
            let error = check(&format!("vacuum = {bad:?}")).expect_err("refused");
            assert!(error.contains("maintenance.vacuum"), "{bad}: {error}");
            let error = check(&format!("blob_grace = {bad:?}")).expect_err("refused");
            assert!(error.contains("maintenance.blob_grace"), "{bad}: {error}");
        }
        assert!(
            check("vacum = \"1d\"")
                .expect_err("refused")
                .contains("vacum")
        );
    }
}
