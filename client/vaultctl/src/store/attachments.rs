//! What becomes of the attachments of a store of documents.

use vault_client::{AttachmentPolicy, Client};

use crate::{context::Context, failure::Failure, output};

#[derive(clap::Args, Debug)]
pub(crate) struct Flags {
    /// Of documents: the store of blobs that takes large attachments [default: blobs]
    #[arg(long = "attachments-store", value_name = "STORE")]
    blobs: Option<String>,
    /// From which size an image becomes a blob, such as 64k [default: 16k]
    #[arg(long = "attachments-image", value_name = "SIZE", value_parser = size)]
    image: Option<u64>,
    /// From which size any other file does [default: 16k]
    #[arg(long = "attachments-document", value_name = "SIZE", value_parser = size)]
    document: Option<u64>,
    /// From which size a video does [default: 64k]
    #[arg(long = "attachments-video", value_name = "SIZE", value_parser = size)]
    video: Option<u64>,
    /// From which size a recording does [default: 256k]
    #[arg(long = "attachments-audio", value_name = "SIZE", value_parser = size)]
    audio: Option<u64>,
}

/// Bytes: a number, perhaps with k or m behind it (1024, 1024²).
fn size(text: &str) -> Result<u64, String> {
    let lower = text.to_ascii_lowercase();
    let bare = lower.trim_end_matches("ib").trim_end_matches('b');
    let (digits, unit) = match bare.strip_suffix('k') {
        Some(digits) => (digits, 1 << 10),
        None => match bare.strip_suffix('m') {
            Some(digits) => (digits, 1 << 20),
            None => (bare, 1),
        },
    };
    let number = digits.parse::<u64>().ok();
    let bytes = number.and_then(|number| number.checked_mul(unit));
    bytes.ok_or_else(|| "write it like 65536, 64k or 1m".to_owned())
}

impl Flags {
    fn are_given(&self) -> bool {
        let sizes = [self.image, self.document, self.video, self.audio];
        self.blobs.is_some() || sizes.iter().any(Option::is_some)
    }

    /// What is declared, over what was.
    fn over(self, before: AttachmentPolicy) -> AttachmentPolicy {
        AttachmentPolicy {
            blobs: self.blobs.unwrap_or(before.blobs),
            image_bytes: self.image.or(before.image_bytes),
            document_bytes: self.document.or(before.document_bytes),
            video_bytes: self.video.or(before.video_bytes),
            audio_bytes: self.audio.or(before.audio_bytes),
        }
    }

    /// What is declared of a new store, if anything is.
    pub(super) fn policy(self) -> Option<AttachmentPolicy> {
        let given = self.are_given();
        given.then(|| self.over(AttachmentPolicy::default()))
    }
}

#[derive(clap::Args, Debug)]
pub(crate) struct Configure {
    /// The store
    store: String,
    #[command(flatten)]
    flags: Flags,
}

impl Configure {
    pub(super) async fn run(self, context: &Context, client: &Client) -> Result<(), Failure> {
        if !self.flags.are_given() {
            let text = "nothing to change: give --attachments-store or a size, such as --attachments-image 64k";
            return Err(Failure::usage(text));
        }
        let (before, _) = client.attachment_stores(&self.store).await?;
        let store = client
            .configure_store(&self.store, self.flags.over(before))
            .await?;
        let Some(policy) = store.attachments else {
            return output::line(&format!("configured {}", store.name));
        };
        if context.json() {
            return output::json(&json(&policy));
        }
        let shown = |bytes: Option<u64>| output::size(bytes.unwrap_or_default());
        output::line(&format!(
            "attachments of {} go to {}: images from {}, documents from {}, videos from {}, audio from {}",
            store.name,
            policy.blobs,
            shown(policy.image_bytes),
            shown(policy.document_bytes),
            shown(policy.video_bytes),
            shown(policy.audio_bytes),
        ))
    }
}

/// As `--json` prints it.
pub(super) fn json(policy: &AttachmentPolicy) -> serde_json::Value {
    serde_json::json!({
        "blobs": policy.blobs,
        "image_bytes": policy.image_bytes,
        "document_bytes": policy.document_bytes,
        "video_bytes": policy.video_bytes,
        "audio_bytes": policy.audio_bytes,
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [
            ("0", 0),
            ("65536", 65536),
            ("64k", 65536),
            ("64KiB", 65536),
            ("2M", 2 << 20),
        ] {
            assert_eq!(super::size(text), Ok(bytes), "{text}");
        }
        for bad in ["", "k", "-1", "1.5k", "12x", "99999999999999999999"] {
            assert!(super::size(bad).is_err(), "{bad}");
        }
    }
}
