//! `doc put --attach`: files that become attachments of the document.

use std::path::{Path, PathBuf};

use serde::Serialize;
use vault_client::{AttachmentPolicy, Client, NewBlob, with_attachments};

use crate::failure::Failure;

/// A file to attach, and what it is.
#[derive(Clone, Debug)]
pub(crate) struct Attach {
    file: PathBuf,
    kind: Option<Kind>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Image,
    Document,
    Video,
    Audio,
}

impl Kind {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "image" => Some(Self::Image),
            "document" => Some(Self::Document),
            "video" => Some(Self::Video),
            "audio" => Some(Self::Audio),
            _ => None,
        }
    }

    fn of(content_type: &str) -> Self {
        let top = content_type.split('/').next().unwrap_or_default();
        Self::parse(top).unwrap_or(Self::Document)
    }

    /// From how many bytes the store makes a blob of it.
    fn threshold(self, policy: &AttachmentPolicy) -> u64 {
        let threshold = match self {
            Self::Image => policy.image_bytes,
            Self::Document => policy.document_bytes,
            Self::Video => policy.video_bytes,
            Self::Audio => policy.audio_bytes,
        };
        // A daemon that names none decides for itself.
        threshold.unwrap_or(u64::MAX)
    }
}

impl Attach {
    /// `FILE` or `FILE:KIND`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("name a file".to_owned());
        }
        let split = text.rsplit_once(':').filter(|(file, _)| !file.is_empty());
        let kind = split.and_then(|(file, kind)| Some((file, Kind::parse(kind)?)));
        Ok(match kind {
            Some((file, kind)) => Self {
                file: file.into(),
                kind: Some(kind),
            },
            None => Self {
                file: text.into(),
                kind: None,
            },
        })
    }
}

#[derive(Serialize)]
struct Entry<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    kind: Kind,
    content_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    size: u64,
}

/// The body with files attached. What is large is put into a blob first, so that neither the body nor
/// the memory has to hold it.
pub(super) async fn attach(
    client: &Client,
    store: &str,
    body: Vec<u8>,
    files: &[Attach],
) -> Result<Vec<u8>, Failure> {
    if files.is_empty() {
        return Ok(body);
    }
    // Whether it can take them is known before anything is uploaded.
    with_attachments(&body, &["{}".to_owned()])
        .map_err(|error| Failure::usage(error.to_string()))?;
    let (policy, _) = client.attachment_stores(store).await?;
    let mut entries = Vec::new();
    for file in files {
        entries.push(entry(client, &policy, file).await?);
    }
    Ok(with_attachments(&body, &entries)?)
}

async fn entry(
    client: &Client,
    policy: &AttachmentPolicy,
    Attach { file, kind }: &Attach,
) -> Result<String, Failure> {
    let unreadable =
        |error: std::io::Error| Failure::usage(format!("cannot read {}: {error}", file.display()));
    let content_type = content_type(file);
    let kind = kind.unwrap_or_else(|| Kind::of(content_type));
    let opened = tokio::fs::File::open(file).await.map_err(unreadable)?;
    let metadata = opened.metadata().await.map_err(unreadable)?;
    let mut entry = Entry {
        name: file.file_name().and_then(|name| name.to_str()),
        kind,
        content_type,
        data: None,
        reference: None,
        size: metadata.len(),
    };
    if metadata.is_file() && metadata.len() >= kind.threshold(policy) {
        let new = NewBlob {
            content_type: content_type.to_owned(),
            size: Some(metadata.len()),
            ..NewBlob::default()
        };
        let stored = client
            .upload_blob(&policy.blobs, new, opened, |_| {})
            .await?;
        entry.size = stored.blob.size;
        entry.reference = Some(stored.blob.reference);
    } else {
        let content = tokio::fs::read(file).await.map_err(unreadable)?;
        entry.size = content.len() as u64;
        entry.data = Some(data_encoding::BASE64.encode(&content));
    }
    serde_json::to_string(&entry).map_err(|error| Failure::other(error.to_string()))
}

/// The MIME type of a file, by the end of its name.
fn content_type(file: &Path) -> &'static str {
    let end = file.extension().and_then(|end| end.to_str());
    match end.unwrap_or_default().to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "svg" => "image/svg+xml",
        "mp4" | "m4v" => "video/mp4",
        "webm" => "video/webm",
        "mov" => "video/quicktime",
        "mp3" => "audio/mpeg",
        "m4a" => "audio/mp4",
        "ogg" | "oga" | "opus" => "audio/ogg",
        "wav" => "audio/wav",
        "flac" => "audio/flac",
        "pdf" => "application/pdf",
        "json" => "application/json",
        "txt" | "log" => "text/plain",
        "md" => "text/markdown",
        "csv" => "text/csv",
        "html" | "htm" => "text/html",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_split_off_and_nothing_else() {
        let parse = |text: &str| Attach::parse(text).expect("a file");
        let found = parse("a:b.png:document");
        assert_eq!(
            (found.file, found.kind),
            ("a:b.png".into(), Some(Kind::Document))
        );
        for whole in ["a.png", "a:b", ":image", "C:\\a.png"] {
            let found = parse(whole);
            assert_eq!((found.file, found.kind), (whole.into(), None));
        }
        assert!(Attach::parse("").is_err());
        assert_eq!(Kind::of(content_type(Path::new("x.JPG"))), Kind::Image);
        assert_eq!(Kind::of(content_type(Path::new("x"))), Kind::Document);
    }
}
