//! Every path that a user's environment decides comes from one module, `proto/src/paths.rs`.

use std::{
    fs,
    path::{Path, PathBuf},
};

const HOME_OF_PATHS: &str = "proto/src/paths.rs";

/// What only that module may say: variables, folders of the system and of the platform, what our own
/// folder is called, and packages that know such things.
const FORBIDDEN: &[&str] = &[
    "\"HOME\"",
    "\"USERPROFILE\"",
    "XDG_",
    "APPDATA",
    "home_dir",
    "dirs::",
    "directories::",
    "etcetera::",
    "join(\"vaultd\")",
    ".local/",
    "\".config",
    "Library/",
    "\"/run",
    "\"/etc",
    "\"/usr",
    "/dev/shm",
    "\".vaultd",
];

fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs::canonicalize(root).expect("the workspace")
}

/// The code of every crate, and none of its tests.
fn sources() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = ["proto", "daemon", "client"]
        .map(|name| root().join(name))
        .into();
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("listed") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().unwrap_or_default();
            let no_code = ["target", "tests", "bench", "examples", "node_modules"];
            if path.is_dir() && !no_code.iter().any(|other| name == *other) {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && name != "tests.rs"
            {
                sources.push(path);
            }
        }
    }
    assert!(sources.len() > 50, "the sources were found");
    sources
}

/// What a source file does: neither its comments and attributes, nor texts for people, nor its tests.
fn code(source: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = source.lines().enumerate();
    let lines = lines.take_while(|(_, line)| {
        !line.starts_with("#[cfg(test)]") && !line.starts_with("#[cfg(all(test")
    });
    lines
        .map(|(number, line)| (number + 1, line.split("//").next().unwrap_or_default()))
        .filter(|(_, line)| !line.trim_start().starts_with("#["))
}

/// A line without its texts for people, such as `"set HOME or XDG_STATE_HOME"`: no path of ours has a
/// space.
fn without_texts(line: &str) -> String {
    let pieces = line.split('"').enumerate();
    let pieces = pieces.map(|(number, piece)| match number % 2 {
        1 if piece.contains(' ') => "",
        _ => piece,
    });
    pieces.collect::<Vec<_>>().join("\"")
}

fn says(line: &str, word: &str) -> bool {
    line.contains(word) && without_texts(line).contains(word)
}

#[test]
fn every_path_comes_from_one_module() {
    let mut wrong = Vec::new();
    let mut own = 0;
    for path in sources() {
        let source = fs::read_to_string(&path).expect("UTF-8");
        let shown = path.strip_prefix(root()).expect("inside").to_owned();
        for (number, line) in code(&source) {
            for word in FORBIDDEN.iter().filter(|word| says(line, word)) {
                if shown == Path::new(HOME_OF_PATHS) {
                    own += 1;
                } else {
                    wrong.push(format!("{}:{number} says {word}", shown.display()));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "take it from {HOME_OF_PATHS}:\n{}",
        wrong.join("\n")
    );
    assert!(own > 10, "the words are found where they are: {own}");
}

#[test]
fn a_path_is_told_from_a_text_for_people() {
    for taken in [
        "env::var_os(\"HOME\")",
        "variable(\"XDG_DATA_HOME\")",
        "home.join(\".config\")",
        "let folder = base.join(\"vaultd\");",
        "PathBuf::from(\"/run/user/0\")",
    ] {
        assert!(FORBIDDEN.iter().any(|word| says(taken, word)), "{taken}");
    }
    for told in [
        "failed(\"no folder for its log: set HOME or XDG_STATE_HOME\")",
        "\"write it to /run/user/0\"",
    ] {
        assert!(!FORBIDDEN.iter().any(|word| says(told, word)), "{told}");
    }
}
