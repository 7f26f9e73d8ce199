//! One JSON line a figure.

use serde_json::json;

/// What the ratio of a figure to its floor must be.
#[derive(Clone, Copy)]
pub(crate) enum Bar {
    AtMost(f64),
    AtLeast(f64),
    /// For comparison only.
    None,
}

/// A figure beside its floor, in the same unit.
pub(crate) struct Figure<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: f64,
    pub(crate) unit: &'a str,
    pub(crate) floor: f64,
    pub(crate) floor_what: &'a str,
    pub(crate) bar: Bar,
}

impl Figure<'_> {
    pub(crate) fn print(&self) {
        let ratio = self.value / self.floor;
        let (bar, met) = match self.bar {
            Bar::AtMost(bar) => (Some(format!("<= {bar}")), Some(ratio <= bar)),
            Bar::AtLeast(bar) => (Some(format!(">= {bar}")), Some(ratio >= bar)),
            Bar::None => (None, None),
        };
        let line = json!({
            "figure": self.name,
            "value": rounded(self.value),
            "unit": self.unit,
            "floor": rounded(self.floor),
            "floor_what": self.floor_what,
            "ratio": rounded(ratio),
            "bar": bar,
            "met": met,
        });
        println!("{line}");
    }
}

fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
