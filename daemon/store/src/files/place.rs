//! Which names of stores go together: all that lies in the folder of a store of files is in it.

use crate::{
    catalogue::{Kind, Protection, StoreRecord},
    error::{StoreError, StoreResult},
    id::StoreName,
};

/// Refuses a new store that would lie in the folder of a store of files, or that would be one around
/// the folder of another plain store.
pub(crate) fn check_place(
    (name, kind, protection): (&StoreName, Kind, Protection),
    stores: &[StoreRecord],
) -> StoreResult<()> {
    if protection != Protection::Plain {
        return Ok(());
    }
    for there in stores {
        let concerned = kind == Kind::Files || there.kind == Kind::Files;
        if !concerned || there.protection != Protection::Plain {
            continue;
        }
        let (inner, outer) = if is_within(name, &there.name) {
            (name, &there.name)
        } else if is_within(&there.name, name) {
            (&there.name, name)
        } else {
            continue;
        };
        return Err(StoreError::InvalidArgument(format!(
            "the folder of store `{inner}` would lie in that of store `{outer}`, which holds files: \
             choose another name"
        )));
    }
    Ok(())
}

/// Whether the folder of a store is, for some system, that of another one or lies in it.
fn is_within(inner: &StoreName, outer: &StoreName) -> bool {
    let mut parts = inner.as_str().split('/');
    let mut same = |part: &str| {
        parts
            .next()
            .is_some_and(|own| own.eq_ignore_ascii_case(part))
    };
    outer.as_str().split('/').all(&mut same)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        catalogue::{AttachmentOptions, DatabaseOptions},
        id::StoreId,
        size_class::SizeClass,
    };

    fn record(name: &str, kind: Kind, protection: Protection) -> StoreRecord {
        StoreRecord {
            id: StoreId::generate().expect("random"),
            name: StoreName::parse(name).expect("a good name"),
            kind,
            protection,
            size_class: SizeClass::Any,
            database: DatabaseOptions::default(),
            attachments: AttachmentOptions::default(),
        }
    }

    #[test]
    fn no_plain_store_lies_in_a_store_of_files() {
        use {Kind::*, Protection::*};
        for (name, kind, protection, there, fits) in [
            ("models/x", Files, Plain, ("models", Files, Plain), false),
            ("models", Files, Plain, ("models/x/y", Files, Plain), false),
            ("Models", Files, Plain, ("models", Files, Plain), false),
            (
                "MODELS/x",
                Documents,
                Plain,
                ("models", Files, Plain),
                false,
            ),
            (
                "models",
                Files,
                Plain,
                ("models/x", Documents, Plain),
                false,
            ),
            ("models-2", Files, Plain, ("models", Files, Plain), true),
            ("model", Files, Plain, ("models", Files, Plain), true),
            (
                "models/x",
                Documents,
                Protected,
                ("models", Files, Plain),
                true,
            ),
            (
                "models",
                Files,
                Plain,
                ("models/x", Documents, Protected),
                true,
            ),
            (
                "notes/x",
                Documents,
                Plain,
                ("notes", Documents, Plain),
                true,
            ),
        ] {
            let there = record(there.0, there.1, there.2);
            let new = StoreName::parse(name).expect("a good name");
            let checked = check_place((&new, kind, protection), &[there]);
            assert_eq!(checked.is_ok(), fits, "{name}: {checked:?}");
        }
    }
}
