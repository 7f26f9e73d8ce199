//! Presets: the stores of an application, described in TOML and created in one go.
//!
//! `client/lib/presets/README.md` says how one is written.

mod apply;
mod apply_error;
mod choice;
mod file;
mod name;
mod plan;
mod questions;

pub use apply::{AppliedStore, PresetApplication};
pub use apply_error::ApplyError;
pub use choice::{ChosenStore, PresetChoice};
pub use name::{NamePattern, Placeholder, PlaceholderForm};

use crate::{BlobColumn, SizeClass, StoreKind};

/// The presets that come with this crate, as their files stand.
const BUILT_IN: [&str; 2] = [
    include_str!("../presets/assistant.toml"),
    include_str!("../presets/chat.toml"),
];

/// Why a preset cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PresetError {
    /// Its file is not fit.
    #[error("line {line}: {message}")]
    Unfit {
        /// Where, from 1.
        line: usize,
        /// What is wrong, and what would be right.
        message: String,
    },
    /// What was asked of it does not fit it.
    #[error("{0}")]
    Choice(String),
}

/// A set of stores to create.
#[derive(Clone, Debug)]
pub struct Preset {
    /// Its name.
    pub name: String,
    /// What it is for, in a line.
    pub description: String,
    /// What stands for a part of a store's name.
    pub placeholders: Vec<Placeholder>,
    /// Its stores, in the order of the file.
    pub stores: Vec<PresetStore>,
    text: String,
}

/// A store of a preset.
#[derive(Clone, Debug)]
pub struct PresetStore {
    /// Its name, perhaps with a placeholder.
    pub name: NamePattern,
    /// What it is for, in a line.
    pub description: String,
    /// Created only where it is asked for.
    pub optional: bool,
    /// Largest body, or row; as the kind has it where there is none.
    pub size_class: Option<SizeClass>,
    /// What it holds.
    pub content: PresetContent,
}

impl PresetStore {
    /// The class it is created with.
    pub fn class(&self) -> SizeClass {
        self.size_class.unwrap_or(match self.content {
            PresetContent::Blobs | PresetContent::Files => SizeClass::Any,
            PresetContent::Documents { .. }
            | PresetContent::Database(_)
            | PresetContent::Secrets => SizeClass::Chat,
        })
    }
}

/// What a store of a preset holds.
#[derive(Clone, Debug)]
pub enum PresetContent {
    /// Documents.
    Documents {
        /// Ordinary files, never encrypted.
        plain: bool,
    },
    /// An encrypted database.
    Database(PresetDatabase),
    /// Content of any size, under the hash of it.
    Blobs,
    /// Ordinary files, never encrypted.
    Files,
    /// API keys.
    Secrets,
}

impl PresetContent {
    /// The kind of store.
    pub const fn store_kind(&self) -> StoreKind {
        match self {
            Self::Documents { .. } => StoreKind::Documents,
            Self::Database(_) => StoreKind::Database,
            Self::Blobs => StoreKind::Blobs,
            Self::Files => StoreKind::Files,
            Self::Secrets => StoreKind::Secrets,
        }
    }

    /// The word for it.
    pub const fn kind(&self) -> &'static str {
        self.store_kind().as_str()
    }

    /// Ordinary files, never encrypted.
    pub const fn plain(&self) -> bool {
        match self {
            Self::Documents { plain } => *plain,
            Self::Files => true,
            Self::Database(_) | Self::Blobs | Self::Secrets => false,
        }
    }
}

/// How a database is to be.
#[derive(Clone, Debug)]
pub struct PresetDatabase {
    /// SQL: step N, from 1, brings the schema from version N - 1 to N.
    pub steps: Vec<String>,
    /// The application that owns it appends steps of its own, so a newer version is no error.
    pub extensible: bool,
    /// Part of the upkeep that runs by itself.
    pub maintenance: bool,
    /// Columns whose values are blob refs: what they name is never collected.
    pub blob_columns: Vec<BlobColumn>,
}

impl Preset {
    /// Reads a preset from the text of its file.
    pub fn parse(text: &str) -> Result<Self, PresetError> {
        file::parse(text)
    }

    /// The presets that come with this crate.
    pub fn built_in() -> Vec<Self> {
        let parsed = BUILT_IN.iter().map(|text| Self::parse(text));
        parsed
            .map(|preset| preset.expect("each is parsed by a test"))
            .collect()
    }

    /// The text of its file.
    pub fn text(&self) -> &str {
        &self.text
    }
}
