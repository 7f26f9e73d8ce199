//! `doc get --attachments`: the content of attachments, each in a file of its own.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use vault_client::{Attachment, AttachmentContent, Client, attachments};

use crate::{
    context::Context,
    failure::Failure,
    newfile::{NewFile, Target},
    output,
};

/// Bytes of a file's name, at most.
const NAME_LIMIT: usize = 200;

/// Writes every attachment of a body into a folder, which is made where there is none.
pub(super) async fn write_all(
    context: &Context,
    client: &Client,
    store: &str,
    body: &[u8],
    folder: &Path,
) -> Result<(), Failure> {
    let found = attachments(body)?;
    std::fs::create_dir_all(folder)
        .map_err(|error| Failure::usage(format!("cannot make {}: {error}", folder.display())))?;
    let blobs = client.stores_of(store, &found).await?;
    let mut taken = BTreeSet::new();
    for (number, attachment) in (1..).zip(&found) {
        let name = file_name(attachment.name.as_deref(), number, &mut taken);
        let path = folder.join(name);
        let file = Target::exclusive(path.clone(), context)?.create()?;
        write_one(client, &blobs, attachment, file).await?;
        print(context, attachment, &path)?;
    }
    Ok(())
}

async fn write_one(
    client: &Client,
    stores: &[String],
    attachment: &Attachment,
    mut file: NewFile,
) -> Result<(), Failure> {
    match &attachment.content {
        AttachmentContent::Inline(base64) => {
            let bare = base64.trim_end_matches('=');
            let content = data_encoding::BASE64_NOPAD.decode(bare.as_bytes());
            let unfit = |_| Failure::other("an attachment's `data` is not base64");
            file.write(&content.map_err(unfit)?)?;
        }
        AttachmentContent::Blob(reference) => {
            let mut blob = client.open_attachment(stores, reference).await?;
            while let Some(chunk) = blob.next().await? {
                file.write(&chunk)?;
            }
        }
    }
    file.keep()
}

fn print(context: &Context, attachment: &Attachment, path: &PathBuf) -> Result<(), Failure> {
    let size = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    if context.json() {
        let reference = match &attachment.content {
            AttachmentContent::Blob(reference) => Some(reference),
            AttachmentContent::Inline(_) => None,
        };
        return output::json(&serde_json::json!({
            "file": path,
            "name": attachment.name,
            "content_type": attachment.content_type,
            "ref": reference,
            "size": size,
        }));
    }
    let shown = output::printable(&path.to_string_lossy());
    output::line(&format!("{shown} {}", output::size(size)))
}

/// A name for a file that leads nowhere else, means nothing to any system, and comes once, whatever
/// the case of its letters.
fn file_name(name: Option<&str>, number: usize, taken: &mut BTreeSet<String>) -> String {
    let last = name.and_then(|name| name.rsplit(['/', '\\']).next());
    let safe: String = last
        .unwrap_or_default()
        .chars()
        .map(|c| {
            if c.is_control() || "<>:\"|?*".contains(c) {
                '_'
            } else {
                c
            }
        })
        .collect();
    let safe = safe.trim_matches(['.', ' ']);
    let mut end = safe.len().min(NAME_LIMIT);
    while !safe.is_char_boundary(end) {
        end -= 1;
    }
    let mut safe = safe[..end].trim_end_matches(['.', ' ']).to_owned();
    if safe.is_empty() {
        safe = format!("attachment-{number}");
    } else if is_device(&safe) {
        safe.insert(0, '_');
    }
    let (stem, end) = match safe.rsplit_once('.') {
        Some((stem, end)) if !stem.is_empty() => (stem.to_owned(), format!(".{end}")),
        _ => (safe.clone(), String::new()),
    };
    let mut again = 2;
    while !taken.insert(safe.to_lowercase()) {
        safe = format!("{stem} ({again}){end}");
        again += 1;
    }
    safe
}

/// Whether Windows takes a name for a device.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end();
    let stem = stem.to_ascii_uppercase();
    let numbered = |word: &str| {
        stem.strip_prefix(word)
            .is_some_and(|rest| rest.len() == 1 && rest.bytes().all(|b| b.is_ascii_digit()))
    };
    ["CON", "PRN", "AUX", "NUL"].contains(&stem.as_str()) || numbered("COM") || numbered("LPT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_safe_and_come_once() {
        let mut taken = BTreeSet::new();
        let mut name = |name: &str| file_name(Some(name), 7, &mut taken);
        assert_eq!(name("../../etc/passwd"), "passwd");
        assert_eq!(name("..\\x\\PASSWD"), "PASSWD (2)");
        assert_eq!(name("a.png"), "a.png");
        assert_eq!(name("A.PNG"), "A (2).PNG");
        assert_eq!(name("a.png"), "a (2) (2).png".replace("(2) (2)", "(3)"));
        assert_eq!(name(".bashrc"), "bashrc");
        assert_eq!(name("con.txt"), "_con.txt");
        assert_eq!(name("a\nb:c?.txt. "), "a_b_c_.txt");
        assert_eq!(name(".."), "attachment-7");
        let long = name(&"ü".repeat(300));
        assert!(long.len() <= NAME_LIMIT && long.starts_with('ü'));
        assert_eq!(file_name(None, 1, &mut taken), "attachment-1");
    }
}
