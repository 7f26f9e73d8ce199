//! Size classes: the largest body a store takes.

use serde::{Deserialize, Serialize};

/// A named bound on bodies, checked before a body is read or decoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, Hash)]
#[serde(rename_all = "lowercase")]
pub enum SizeClass {
    /// `WebAuthn` messages, connection saves, small JSON.
    Auth,
    /// Character cards, workflow saves.
    Card,
    /// Conversations, message edits, drafts.
    #[default]
    Chat,
    /// Image generation with an inline avatar.
    Image,
    /// Audio and small video.
    Voice,
    /// A source fetched by URL.
    Download,
    /// Whatever fits on the disk: blobs and files only.
    Any,
}

impl SizeClass {
    /// Every class, smallest first.
    pub const ALL: [Self; 7] = [
        Self::Auth,
        Self::Card,
        Self::Chat,
        Self::Image,
        Self::Voice,
        Self::Download,
        Self::Any,
    ];

    /// The bound in bytes unless configured otherwise.
    pub const fn default_limit(self) -> u64 {
        match self {
            Self::Auth => 64 << 10,
            Self::Card => 2 << 20,
            Self::Chat => 16 << 20,
            Self::Image => 50 << 20,
            Self::Voice => 60 << 20,
            Self::Download => 200 << 20,
            Self::Any => 1 << 40,
        }
    }

    /// The word for it in configuration and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Card => "card",
            Self::Chat => "chat",
            Self::Image => "image",
            Self::Voice => "voice",
            Self::Download => "download",
            Self::Any => "any",
        }
    }
}

/// The bounds in force, one for each class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeLimits([u64; SizeClass::ALL.len()]);

impl Default for SizeLimits {
    fn default() -> Self {
        Self(SizeClass::ALL.map(SizeClass::default_limit))
    }
}

impl SizeLimits {
    /// The bound of a class, in bytes.
    pub const fn of(&self, class: SizeClass) -> u64 {
        self.0[class as usize]
    }

    /// Replaces the bound of a class. At most 1 GiB, which is what an envelope holds.
    #[must_use]
    pub fn with(mut self, class: SizeClass, limit: u64) -> Self {
        self.0[class as usize] = limit.min(vault_crypto::envelope::BODY_LIMIT);
        self
    }
}
