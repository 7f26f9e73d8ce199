//! Folders on their way into a vault and out of it again.

use std::{collections::BTreeMap, fs, path::Path};

use crate::{Daemon, vaultd};

fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(current) = folders.pop() {
        for entry in fs::read_dir(current).expect("listed") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("inside");
                let content = fs::read(&path).expect("readable");
                found.insert(name.to_string_lossy().into_owned(), content);
            }
        }
    }
    found
}

/// Runs `vaultctl`; its exit code, output and complaints.
fn run(daemon: &Daemon, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = daemon.vaultctl().args(arguments).output();
    let output = output.expect("vaultctl runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[cfg(unix)]
fn has_ending(name: &str, ending: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|found| found == ending)
}

#[test]
fn folders_go_in_and_come_out_again() {
    let daemon = Daemon::start(&vaultd());
    let folder = tempfile::tempdir().expect("a folder");
    let (source, out) = (folder.path().join("source"), folder.path().join("out"));
    let large: Vec<u8> = (0..3 << 20).map(|n: u32| n.to_le_bytes()[1]).collect();
    for (name, content) in [
        ("a.png", &b"png"[..]),
        ("deep/er/b.txt", b"text"),
        ("copy.txt", b"text"),
        ("large", &large),
    ] {
        let path = source.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, content).expect("written");
    }
    let expected = contents(&source);
    fs::write(source.join("con.txt"), b"a device").expect("written");
    std::os::unix::fs::symlink("/etc/passwd", source.join("link")).expect("a link");
    let [from, to] = [&source, &out].map(|path| path.to_str().expect("UTF-8"));

    let import = ["import", "models", from, "--kind", "files"];
    let (code, printed, said) = run(&daemon, &import);
    assert_eq!(
        (code, printed.as_str()),
        (Some(1), "imported 4\n"),
        "{said}"
    );
    assert!(said.contains("con.txt") && said.contains("link"), "{said}");
    fs::remove_file(source.join("con.txt")).expect("there");
    fs::write(source.join("a.png"), b"gnp").expect("written");
    let (code, printed, _) = run(&daemon, &import);
    assert_eq!(
        (code, printed.as_str()),
        (Some(0), "imported 1\nunchanged 3\n"),
        "as long and another content"
    );
    fs::write(source.join("a.png"), b"png").expect("written");
    run(&daemon, &import);
    let export = ["file", "export", "models", to];
    assert_eq!(run(&daemon, &export).0, Some(0));
    assert_eq!(contents(&out), expected);
    let (code, printed, _) = run(&daemon, &export);
    assert_eq!((code, printed.as_str()), (Some(5), "exported 0\n"));

    let blobs = ["import", "blobs", from, "--kind", "blobs", "--json"];
    let (code, printed, said) = run(&daemon, &blobs);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(printed.lines().count(), 4);
    fs::remove_dir_all(&out).expect("there");
    assert_eq!(run(&daemon, &["blob", "export", to]).1, "exported 3\n");
    for line in printed.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let [path, reference] = ["path", "ref"].map(|key| line[key].as_str().expect("text"));
        let exported = contents(&out);
        let found = exported
            .iter()
            .find(|(name, _)| name.starts_with(reference));
        let (name, content) = found.expect("exported");
        assert!(*content == fs::read(path).expect("there"));
        let of = |ending: &str| {
            Path::new(path)
                .extension()
                .is_some_and(|found| found == ending)
        };
        assert_eq!(has_ending(name, "png"), of("png"));
        assert_eq!(has_ending(name, "txt"), of("txt"));
    }
}
