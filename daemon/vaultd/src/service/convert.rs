//! Between the wire's types and the stores'. Nothing generated goes further in than this folder.

use std::collections::HashMap;

use prost_types::Timestamp;
use tonic::Status;
use vault_proto::v1::{self, precondition::Condition};
use vault_store::{
    Revision, SizeClass,
    attachments::AttachmentKind,
    catalogue::{AttachmentOptions, Kind, Protection, StoreRecord},
    documents::{Content, Head, JSON, Precondition},
    kind::StoreStats,
    secrets::SecretPlace,
};

use super::stores;

/// Milliseconds since 1970 as the wire has them.
pub(super) fn timestamp(ms: i64) -> Timestamp {
    let nanos = i32::try_from(ms.rem_euclid(1000) * 1_000_000).expect("below one second");
    Timestamp {
        seconds: ms.div_euclid(1000),
        nanos,
    }
}

pub(super) fn head(head: &Head) -> v1::DocumentHead {
    v1::DocumentHead {
        id: head.id().as_str().to_owned(),
        revision: head.revision().0,
        content_type: head.content_type().to_owned(),
        body_bytes: head.body_bytes(),
        stored_bytes: head.stored_bytes(),
        created: Some(timestamp(head.created_ms())),
        modified: Some(timestamp(head.modified_ms())),
        labels: head
            .labels()
            .iter()
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect(),
        deleted: head.is_deleted(),
        awaiting_migration: head.awaits_migration(),
        blobs: head.blobs().to_vec(),
    }
}

pub(super) fn precondition(precondition: Option<v1::Precondition>) -> Precondition {
    match precondition.and_then(|precondition| precondition.condition) {
        Some(Condition::Absent(true)) => Precondition::Absent,
        Some(Condition::Present(true)) => Precondition::Present,
        Some(Condition::Revision(revision)) => Precondition::Revision(Revision(revision)),
        None | Some(Condition::Absent(false) | Condition::Present(false)) => Precondition::None,
    }
}

/// Zero means "whatever is current".
pub(super) fn if_revision(revision: u64) -> Option<Revision> {
    (revision != 0).then_some(Revision(revision))
}

pub(super) fn content(
    content_type: String,
    labels: HashMap<String, String>,
    body: Vec<u8>,
) -> Content {
    let content_type = if content_type.is_empty() {
        JSON.to_owned()
    } else {
        content_type
    };
    Content {
        content_type,
        labels: labels.into_iter().collect(),
        body,
    }
}

pub(super) fn size_class(class: v1::SizeClass) -> SizeClass {
    match class {
        v1::SizeClass::Unspecified | v1::SizeClass::Chat => SizeClass::Chat,
        v1::SizeClass::Auth => SizeClass::Auth,
        v1::SizeClass::Card => SizeClass::Card,
        v1::SizeClass::Image => SizeClass::Image,
        v1::SizeClass::Voice => SizeClass::Voice,
        v1::SizeClass::Download => SizeClass::Download,
        v1::SizeClass::Any => SizeClass::Any,
    }
}

pub(super) fn wire_size_class(class: SizeClass) -> v1::SizeClass {
    match class {
        SizeClass::Auth => v1::SizeClass::Auth,
        SizeClass::Card => v1::SizeClass::Card,
        SizeClass::Chat => v1::SizeClass::Chat,
        SizeClass::Image => v1::SizeClass::Image,
        SizeClass::Voice => v1::SizeClass::Voice,
        SizeClass::Download => v1::SizeClass::Download,
        SizeClass::Any => v1::SizeClass::Any,
    }
}

pub(super) fn store(
    record: &StoreRecord,
    limit: u64,
    stats: Result<StoreStats, String>,
) -> v1::Store {
    let (stats, failure) = match stats {
        Ok(stats) if stats.damaged == 0 => (stats, String::new()),
        Ok(stats) => (stats, format!("{} objects cannot be read", stats.damaged)),
        Err(failure) => (StoreStats::default(), failure),
    };
    v1::Store {
        name: record.name.to_string(),
        kind: match record.kind {
            Kind::Documents => v1::StoreKind::Documents,
            Kind::Database => v1::StoreKind::Database,
            Kind::Blobs => v1::StoreKind::Blobs,
            Kind::Files => v1::StoreKind::Files,
            Kind::Secrets => v1::StoreKind::Secrets,
        }
        .into(),
        plain: record.protection == Protection::Plain,
        size_class: wire_size_class(record.size_class).into(),
        max_body_bytes: limit,
        documents: stats.objects,
        body_bytes: stats.body_bytes,
        revision: stats.revision.0,
        awaiting_migration: stats.awaiting_migration,
        damaged: failure,
        attachments: (record.kind == Kind::Documents)
            .then(|| attachment_policy(&record.attachments)),
    }
}

/// What becomes of attachments, with what is in force where nothing was declared.
fn attachment_policy(options: &AttachmentOptions) -> v1::AttachmentPolicy {
    let threshold = |kind| Some(options.threshold(kind));
    v1::AttachmentPolicy {
        blobs: options.store().to_string(),
        image_bytes: threshold(AttachmentKind::Image),
        document_bytes: threshold(AttachmentKind::Document),
        video_bytes: threshold(AttachmentKind::Video),
        audio_bytes: threshold(AttachmentKind::Audio),
    }
}

pub(super) fn secret_place(place: SecretPlace) -> v1::SecretPlace {
    match place {
        SecretPlace::Keyring => v1::SecretPlace::Keyring,
        SecretPlace::Vault => v1::SecretPlace::Vault,
    }
}

/// What a client declares of attachments.
pub(super) fn attachment_options(
    policy: &v1::AttachmentPolicy,
) -> Result<AttachmentOptions, Status> {
    let blobs = match policy.blobs.as_str() {
        "" => None,
        name => Some(stores::parse(name)?),
    };
    Ok(AttachmentOptions {
        blobs,
        image: policy.image_bytes,
        document: policy.document_bytes,
        video: policy.video_bytes,
        audio: policy.audio_bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_1970_keep_their_order() {
        assert_eq!(
            timestamp(1_500),
            Timestamp {
                seconds: 1,
                nanos: 500_000_000
            }
        );
        assert_eq!(
            timestamp(-1),
            Timestamp {
                seconds: -1,
                nanos: 999_000_000
            }
        );
    }
}
