//! Files: ordinary files under their own names, never encrypted.

mod transfer;

use std::collections::VecDeque;

use vault_proto::v1::{
    self, DeleteFileRequest, ListFilesRequest, ListFilesResponse, StatFileRequest,
};

use crate::{Client, Error, vault::millis};
pub use transfer::{FileDownload, NewFile};

/// What is known of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name: up to 16 parts joined by `/`.
    pub name: String,
    /// Bytes of its content.
    pub size: u64,
    /// MIME type, by the ending of the name.
    pub content_type: String,
    /// Milliseconds since 1970.
    pub modified_ms: i64,
    /// It lies sealed on the disk, and is opened when it is read.
    pub sealed: bool,
}

impl From<v1::File> for File {
    fn from(file: v1::File) -> Self {
        Self {
            name: file.name,
            size: file.size,
            content_type: file.content_type,
            modified_ms: millis(file.modified),
            sealed: file.sealed,
        }
    }
}

/// One entry of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListedFile {
    /// A file.
    File(File),
    /// What lies there and cannot be used.
    Skipped {
        /// Its name.
        name: String,
        /// Why, for people.
        detail: String,
    },
}

/// A listing under way, ordered by name.
pub struct FileList {
    stream: tonic::Streaming<ListFilesResponse>,
    page: VecDeque<ListedFile>,
}

impl FileList {
    /// The next entry; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<ListedFile>, Error> {
        loop {
            if let Some(entry) = self.page.pop_front() {
                return Ok(Some(entry));
            }
            let Some(page) = self.stream.message().await? else {
                return Ok(None);
            };
            let skipped = page.skipped.into_iter().map(|skipped| ListedFile::Skipped {
                name: skipped.name,
                detail: skipped.detail,
            });
            let files = page.files.into_iter().map(File::from);
            self.page = files.map(ListedFile::File).chain(skipped).collect();
        }
    }
}

impl Client {
    /// What is known of a file.
    pub async fn stat_file(&self, store: &str, name: &str) -> Result<File, Error> {
        let request = StatFileRequest {
            store: store.to_owned(),
            name: name.to_owned(),
        };
        let response = self.services.files().stat(request).await?.into_inner();
        Ok(response.file.unwrap_or_default().into())
    }

    /// Every file whose name begins with `prefix`.
    pub async fn list_files(&self, store: &str, prefix: &str) -> Result<FileList, Error> {
        let request = ListFilesRequest {
            store: store.to_owned(),
            prefix: prefix.to_owned(),
        };
        let stream = self.services.files().list(request).await?.into_inner();
        Ok(FileList {
            stream,
            page: VecDeque::new(),
        })
    }

    /// Deletes a file.
    pub async fn delete_file(&self, store: &str, name: &str) -> Result<(), Error> {
        let request = DeleteFileRequest {
            store: store.to_owned(),
            name: name.to_owned(),
        };
        self.services.files().delete(request).await?;
        Ok(())
    }
}
