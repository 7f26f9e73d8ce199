//! Names for passkeys and sessions, guessed from the User-Agent and from what keeps the passkey.

/// Browsers by what tells them from those they imitate: each comes before the ones it names as well.
const BROWSERS: [(&str, &str); 12] = [
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("OPR/", "Opera"),
    ("Vivaldi/", "Vivaldi"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Version/", "Safari"),
    ("curl/", "curl"),
];

/// Systems, in the same order: Android says that it is Linux, an iPhone that it is like a Mac.
const SYSTEMS: [(&str, &str); 8] = [
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
    ("FreeBSD", "FreeBSD"),
];

/// Where passkeys are kept, by AAGUID: those that many people have. Whoever knows more may rename.
const AUTHENTICATORS: [(u128, &str); 11] = [
    (0xfbfc3007_154e_4ecc_8c0b_6e020557d7bd, "iCloud Keychain"),
    (0xdd4ec289_e01d_41c9_bb89_70fa845d4bf2, "iCloud Keychain"),
    (
        0xea9b8d66_4d01_1d21_3ce4_b6b48cb575d4,
        "Google Password Manager",
    ),
    (0xadce0002_35bc_c60a_648b_0b25f1f05503, "Chrome on macOS"),
    (0x08987058_cadc_4b81_b6e1_30de50dcbe96, "Windows Hello"),
    (0x9ddd1817_af5a_4672_a2b9_3e3dd95000a9, "Windows Hello"),
    (0x6028b017_b1d4_4c02_b4b3_afcdafc96bb2, "Windows Hello"),
    (0xbada5566_a7aa_401f_bd96_45619a55120d, "1Password"),
    (0xd548826e_79b4_db40_a3d8_11116f7e8349, "Bitwarden"),
    (0x531126d6_e717_415c_9320_3d9aa6981239, "Dashlane"),
    (0xfdb141b2_5d84_443e_8a35_4698c205a502, "KeePassXC"),
];

/// "Firefox on Linux", or "Browser" where nothing is known.
pub(crate) fn guess(user_agent: Option<&str>) -> String {
    let agent = user_agent.unwrap_or_default();
    let known = |table: &[(&str, &'static str)]| {
        let found = table.iter().find(|(sign, _)| agent.contains(sign));
        found.map(|(_, name)| *name)
    };
    let browser = known(&BROWSERS).unwrap_or("Browser");
    match known(&SYSTEMS) {
        Some(system) => format!("{browser} on {system}"),
        None => browser.to_owned(),
    }
}

/// "Bitwarden, Firefox on Linux": with what keeps the passkey, where that is known.
pub(crate) fn guess_passkey(user_agent: Option<&str>, aaguid: Option<u128>) -> String {
    let browser = guess(user_agent);
    let found = AUTHENTICATORS.iter().find(|(id, _)| Some(*id) == aaguid);
    match found {
        Some((_, name)) => format!("{name}, {browser}"),
        None => browser,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_told_from_those_they_imitate() {
        for (agent, label) in [
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
                "Firefox on Linux",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/141.0.0.0 Safari/537.36",
                "Chrome on Linux",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/18.0 Safari/605.1.15",
                "Safari on macOS",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like \
                 Gecko) CriOS/141.0.0.0 Mobile/15E148 Safari/604.1",
                "Chrome on iPhone",
            ),
            (
                "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 \
                 Mobile Safari/537.36",
                "Chrome on Android",
            ),
            ("curl/8.5.0", "curl"),
            ("something else", "Browser"),
            ("", "Browser"),
        ] {
            assert_eq!(guess(Some(agent)), label, "{agent}");
        }
        assert_eq!(guess(None), "Browser");
    }

    #[test]
    fn what_keeps_the_passkey_is_named_where_it_is_known() {
        let (bitwarden, _) = AUTHENTICATORS[8];
        assert_eq!(
            guess_passkey(Some("Firefox/140.0 Linux"), Some(bitwarden)),
            "Bitwarden, Firefox on Linux"
        );
        assert_eq!(guess_passkey(None, Some(0)), "Browser");
        assert_eq!(guess_passkey(None, None), "Browser");
    }

    #[test]
    fn no_guess_is_longer_than_a_label_may_be() {
        let longest = |names: &mut dyn Iterator<Item = &&str>| names.map(|name| name.len()).max();
        let total = longest(&mut BROWSERS.iter().map(|(_, name)| name)).unwrap_or(0)
            + longest(&mut SYSTEMS.iter().map(|(_, name)| name)).unwrap_or(0)
            + longest(&mut AUTHENTICATORS.iter().map(|(_, name)| name)).unwrap_or(0);
        assert!(total + ", ".len() + " on ".len() <= crate::token::LONGEST_LABEL);
    }
}
