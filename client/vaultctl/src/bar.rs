//! Progress: a bar on a terminal, nothing in a pipe.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over `total` objects.
pub(crate) fn objects(total: u64, what: &'static str) -> ProgressBar {
    bar("{msg} {wide_bar} {pos}/{len} {eta}", total, what)
}

/// A bar over `total` bytes.
pub(crate) fn bytes(total: u64, what: &'static str) -> ProgressBar {
    bar("{msg} {wide_bar} {bytes}/{total_bytes} {eta}", total, what)
}

fn bar(template: &str, total: u64, what: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).expect("the template is well formed");
    ProgressBar::new(total).with_style(style).with_message(what)
}
