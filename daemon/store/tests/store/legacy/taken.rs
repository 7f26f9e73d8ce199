//! What lies in the data root already.

use std::path::Path;

use vault_store::{
    StoreError, durable,
    legacy::{self, LegacyError},
};

use super::{LEGACY, beside, small, start, take_whole};
use crate::support::fixture::ROOT;

/// No vault is not nothing: what somebody has put there is not gone over.
#[test]
fn what_lies_in_a_root_without_a_vault_stays() {
    let fixture = beside(small);
    let settings = Path::new("config.toml");
    for (folder, content) in [(ROOT, "mine"), (LEGACY, "theirs")] {
        let folder = Path::new(folder);
        let fs = fixture.fs.as_ref();
        durable::replace(fs, folder, "config.toml", &[content.as_bytes()]).expect("written");
    }
    let refused = take_whole(&fixture);
    assert!(
        matches!(&refused, Err(LegacyError::Store(StoreError::ObjectExists(path)))
            if path.ends_with("config.toml")),
        "{refused:?}"
    );
    let image = fixture.simulated.image();
    assert_eq!(
        image.file(&Path::new(ROOT).join(settings)),
        Some(&b"mine"[..])
    );
    assert!(!legacy::is_placing(&fixture.root()).expect("seen"));
    // Once it is out of the way, all of it moves in.
    let mine = Path::new(ROOT).join(settings);
    fixture.fs.remove_file(&mine).expect("removed");
    legacy::clear(&fixture.root()).expect("cleared");
    take_whole(&fixture).expect("moved in");
    start(&fixture).expect("open");
    assert_eq!(fixture.simulated.image().file(&mine), Some(&b"theirs"[..]));
}
