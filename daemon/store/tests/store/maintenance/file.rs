//! `maintenance.json`: what is in it, what is not, and what becomes of a damaged one.

use std::{io::Write as _, path::Path, sync::Arc};

use vault_store::{
    FileSystem as _,
    maintenance::{Operation, Schedule},
};

use super::{BEGIN, DAY, HOUR, World, record};
use crate::support::{fixture::ROOT, simulated::SimulatedFileSystem};

const FILE: &str = "/vault/maintenance.json";

fn disk(content: &[u8]) -> SimulatedFileSystem {
    let fs = SimulatedFileSystem::new(Path::new(ROOT));
    let mut file = fs.create_new(Path::new(FILE)).expect("a new file");
    file.write_all(content).expect("written");
    fs
}

fn content(fs: &SimulatedFileSystem) -> serde_json::Value {
    let image = fs.image();
    let file = image.file(Path::new(FILE)).expect("it is there");
    serde_json::from_slice(file).expect("JSON")
}

#[test]
fn it_names_no_database() {
    let fs = SimulatedFileSystem::new(Path::new(ROOT));
    let records = vec![record("diary"), super::excluded("plugins/secret")];
    let mut world = World::on(Arc::new(fs.clone()), records, Schedule::default());
    world.pass(31 * DAY, HOUR);
    let id = world.records[0].id.to_string();
    assert_eq!(
        content(&fs),
        serde_json::json!({
            "format": 1,
            "databases": { id: {
                "since": BEGIN,
                "optimize": BEGIN + 31 * DAY,
                "checkpoint": BEGIN + 28 * DAY,
                "vacuum": BEGIN + 30 * DAY,
            } },
        })
    );
}

#[test]
fn what_a_later_version_wrote_survives() {
    let record = record("one");
    let id = record.id.to_string();
    let written = serde_json::json!({
        "format": 1,
        "databases": { &id: { "since": BEGIN - HOUR, "analyze": 5 } },
        "paused": true,
    });
    let fs = disk(written.to_string().as_bytes());
    let mut world = World::on(Arc::new(fs.clone()), vec![record], Schedule::default());
    assert_eq!(world.pass(5 * HOUR, HOUR), [1, 0, 0]);
    let found = content(&fs);
    assert_eq!(found["paused"], true);
    assert_eq!(found["databases"][&id]["analyze"], 5);
    assert_eq!(found["databases"][&id]["optimize"], BEGIN + 5 * HOUR);
}

#[test]
fn a_damaged_file_is_moved_aside_and_counts_as_absent() {
    let record = record("one");
    let id = record.id.to_string();
    let old = format!(r#"{{"format":1,"databases":{{"{id}":{{"since":1,"vacuum":"#);
    let large = vec![b' '; (16 << 20) + 1];
    let damaged: [&[u8]; 7] = [
        b"",
        b"\0\0\0\0",
        b"[]",
        br#"{"format":2,"databases":{}}"#,
        old.as_bytes(),
        &[old.as_bytes(), br#""soon"}}}"#].concat(),
        &large,
    ];
    for bytes in damaged {
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned();
        let fs = disk(bytes);
        let records = vec![record.clone()];
        // Asserts that nothing is due.
        let mut world = World::on(Arc::new(fs.clone()), records, Schedule::default());
        let aside = format!("{FILE}.damaged-{BEGIN}");
        let image = fs.image();
        assert_eq!(image.file(Path::new(&aside)), Some(bytes), "{shown}");
        assert_eq!(content(&fs)["databases"][&id]["since"], BEGIN, "{shown}");
        assert_eq!(world.pass(30 * DAY, HOUR), [120, 4, 1], "{shown}");
        world.restart();
        assert_eq!(world.next(0, Operation::Vacuum), Some(30 * DAY), "{shown}");
    }
}

#[test]
fn times_that_make_no_sense_do_no_harm() {
    for (time, due) in [(i64::MIN, true), (-1, true), (i64::MAX, false)] {
        let record = record("one");
        let id = record.id.to_string();
        let written = serde_json::json!({
            "format": 1,
            "databases": { &id: { "since": BEGIN, "vacuum": time }, "no id": { "since": 1 } },
        });
        let fs = disk(written.to_string().as_bytes());
        let root = vault_store::DataRoot::new(Arc::new(fs), ROOT.into());
        let mut maintenance =
            vault_store::maintenance::Maintenance::load(root, Schedule::default(), BEGIN);
        let found = maintenance.due(BEGIN, std::slice::from_ref(&record));
        assert_eq!(found.len(), usize::from(due), "{time}");
        for due in found {
            maintenance.ran(&due.task, BEGIN);
        }
        assert_eq!(maintenance.due(BEGIN, &[record]), [], "{time}");
    }
}
