//! `--base-url`: a vault that is reached through its gateway.
//!
//! It may stand before a noun and after any verb, but for those of `connection`, whose profiles have
//! a base URL of their own.

use clap::{Arg, ArgMatches, Command, CommandFactory as _};
use vault_client::BaseUrl;

use crate::Cli;

const ID: &str = "base_url";
const VARIABLE: &str = "VAULTD_BASE_URL";

/// Nouns that know no gateway, or another base URL.
const WITHOUT: [&str; 6] = [
    "connection",
    "demo",
    "completions",
    "man",
    "run-files",
    "service",
];

fn argument() -> Arg {
    Arg::new(ID)
        .long("base-url")
        .value_name("URL")
        .help("Reach the vault through its gateway, such as https://vault.example.org")
        .value_parser(clap::value_parser!(BaseUrl))
}

/// The whole command line.
pub(crate) fn command() -> Command {
    let command = Cli::command().mut_subcommands(|noun| {
        if WITHOUT.contains(&noun.get_name()) {
            noun
        } else {
            noun.arg(argument().global(true))
        }
    });
    command.arg(argument().env(VARIABLE))
}

/// The address in force: the one after the verb, before the noun, in the environment.
pub(crate) fn given(matches: &ArgMatches) -> Option<BaseUrl> {
    let after = matches.subcommand().and_then(|(_, noun)| {
        let given = noun.try_get_one::<BaseUrl>(ID).ok();
        given.flatten()
    });
    after.or_else(|| matches.get_one(ID)).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &str) -> Result<Option<String>, clap::Error> {
        let matches = command().try_get_matches_from(words.split(' '))?;
        Ok(given(&matches).map(|base| base.to_string()))
    }

    #[test]
    fn a_base_url_stands_before_a_noun_or_after_a_verb() {
        command().debug_assert();
        let expected = Some("https://a.example".to_owned());
        for words in [
            "vaultctl --base-url https://a.example doc ls notes",
            "vaultctl doc --base-url https://a.example ls notes",
            "vaultctl doc ls notes --base-url https://a.example",
            "vaultctl --base-url https://b.example status --base-url https://a.example",
            "vaultctl --base-url https://a.example connection add x --name x --base-url https://api.example",
        ] {
            assert_eq!(parsed(words).expect(words), expected, "{words}");
        }
        for words in [
            "vaultctl doc ls notes",
            "vaultctl connection add x --name x --base-url https://api.example",
        ] {
            assert_eq!(parsed(words).expect(words), None, "{words}");
        }
        assert!(parsed("vaultctl --base-url http://a.example status").is_err());
    }
}
