//! The manual page has the options that the program has.

use std::{env, fs, path::Path};

use clap::CommandFactory as _;
use vault_gateway::config::Flags;

/// Above it the page is made from the options of the program, below it is written by hand.
const BY_HAND: &str = ".\\\" Written by hand from here on.\n";

fn made() -> std::io::Result<Vec<u8>> {
    // Of its last change that matters to a reader.
    let man = clap_mangen::Man::new(Flags::command())
        .date("2026-11-26")
        .manual("User Commands");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_options_section(&mut page)?;
    Ok(page)
}

#[test]
fn the_manual_page_has_every_option() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("man/vault-gateway.1");
    let page = fs::read_to_string(&path).expect("a page");
    let (_, by_hand) = page.split_once(BY_HAND).expect("a part written by hand");
    let made = String::from_utf8(made().expect("made")).expect("UTF-8");
    let expected = format!("{made}{BY_HAND}{by_hand}");
    if env::var_os("VAULTD_WRITE_MANUAL").is_some() {
        fs::write(&path, &expected).expect("written");
        return;
    }
    assert!(
        page == expected,
        "the options have changed: VAULTD_WRITE_MANUAL=1 cargo test -p vault-gateway --test man"
    );
}
