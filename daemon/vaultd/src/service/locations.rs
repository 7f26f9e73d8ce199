//! Where everything of the vault lies, as it stands on the wire.

use std::path::Path;

use vault_proto::{paths::LocationClass as Class, v1::LocationClass, v1::StorageLocations};

use crate::{doctor::Finding, keeper::Keeper};

/// The places of the vault that `keeper` keeps, but for that of its secrets.
pub(super) fn describe(keeper: &Keeper, backend: &str) -> StorageLocations {
    let named = keeper.locations();
    let looked = keeper.look_at_locations();
    let shown = |path: &Path| path.to_string_lossy().into_owned();
    StorageLocations {
        active_root: shown(&named.root),
        active_root_class: wire(named.root_class).into(),
        spec_compliant: named.is_compliant(),
        legacy_root: named.legacy.as_deref().map(shown).unwrap_or_default(),
        legacy_root_exists: looked.legacy_exists,
        merge_marker: looked.merge_marker,
        models_root: shown(&named.models),
        models_root_class: wire(named.models_class()).into(),
        socket: shown(&named.socket),
        storage_key: backend.to_owned(),
        reason_codes: reason_codes(&looked.findings),
        ..StorageLocations::default()
    }
}

/// The codes of findings, each once, in their order.
pub(super) fn reason_codes(findings: &[Finding]) -> Vec<String> {
    let mut codes: Vec<String> = Vec::new();
    for finding in findings {
        if !codes.iter().any(|code| code == finding.code.as_str()) {
            codes.push(finding.code.to_string());
        }
    }
    codes
}

const fn wire(class: Class) -> LocationClass {
    match class {
        Class::XdgDataHome => LocationClass::XdgDataHome,
        Class::AppleApplicationSupport => LocationClass::AppleApplicationSupport,
        Class::LocalAppData => LocationClass::LocalAppData,
        Class::HomeDotDirectory => LocationClass::HomeDotDirectory,
        Class::EnvironmentOverride => LocationClass::EnvironmentOverride,
        Class::FlagOverride => LocationClass::FlagOverride,
        Class::TestOverride => LocationClass::TestOverride,
        Class::Custom => LocationClass::Custom,
    }
}
