//! Every crash leaves every record that counted, a sound log, and one that goes on.

use std::ops::ControlFlow;

use vault_store::{
    audit::Bounds,
    rotation::{Depth, RotationOutcome},
};

use super::world::{MANY, Subject, actions, append, verify};
use crate::support::{
    crash::{Crash, enumerate},
    keyring::Entries,
    rotating::{advance, rotate},
    simulated::{Image, Operation},
};

type Step = fn(&Subject);

struct Scenario {
    name: &'static str,
    bounds: Bounds,
    before: Step,
    steps: &'static [Step],
}

/// A log whose oldest segment goes now and then.
const SMALL: Bounds = Bounds {
    segment: 900,
    total: 1800,
};

const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "a new log",
        bounds: MANY,
        before: |_| {},
        steps: &[
            |subject| one(subject, "one"),
            keep,
            |subject| one(subject, "two"),
        ],
    },
    Scenario {
        name: "records of several callers",
        bounds: MANY,
        before: |subject| one(subject, "before"),
        steps: &[
            |subject| {
                append(&subject.log, &["a", "b", "c"]);
            },
            |subject| one(subject, "d"),
            keep,
        ],
    },
    Scenario {
        name: "a segment begins",
        bounds: Bounds {
            segment: 700,
            ..MANY
        },
        before: |subject| one(subject, "before"),
        steps: &[
            |subject| one(subject, "a"),
            |subject| one(subject, "b"),
            keep,
            |subject| one(subject, "c"),
        ],
    },
    Scenario {
        name: "the oldest segment goes",
        bounds: SMALL,
        before: |subject| {
            for number in 0..4 {
                one(subject, &format!("before {number}"));
            }
            keep(subject);
        },
        steps: &[
            |subject| one(subject, "a"),
            |subject| one(subject, "b"),
            keep,
            |subject| {
                one(subject, "c");
            },
        ],
    },
    Scenario {
        name: "sealed anew",
        bounds: MANY,
        before: |subject| {
            for number in 0..4 {
                one(subject, &format!("before {number}"));
            }
        },
        steps: &[
            |subject| {
                let keyring = &subject.fixture.keyring;
                let outcome = rotate(&subject.vault, keyring, Depth::Reencrypt);
                let done = RotationOutcome::Done { kept: Vec::new() };
                assert_eq!(outcome.expect("rotated"), done);
            },
            |subject| one(subject, "after"),
        ],
    },
];

fn one(subject: &Subject, action: &str) {
    append(&subject.log, &[action]);
}

fn keep(subject: &Subject) {
    subject.log.upkeep().expect("kept");
}

/// A scenario that was run.
struct Run {
    subject: Subject,
    bounds: Bounds,
    base: Image,
    entries: Entries,
    log: Vec<Operation>,
    /// What the log shows after each step.
    worlds: Vec<World>,
    /// All that was ever done, in order.
    all: Vec<String>,
}

/// What a log shows.
#[derive(Clone, Default)]
struct World {
    /// The number of its newest record.
    last: u64,
    /// What was done, as far as it is kept: a part of all, without a gap.
    actions: Vec<String>,
}

impl World {
    fn of(subject: &Subject) -> Self {
        Self {
            last: subject.log.head().sequence,
            actions: actions(&subject.log),
        }
    }

    /// Where it begins and ends in all that was ever done; `None` where it is no part of it.
    fn part_of(&self, all: &[String]) -> Option<(usize, usize)> {
        let Some(first) = self.actions.first() else {
            return Some((0, 0));
        };
        let start = all.iter().position(|action| action == first)?;
        let end = start + self.actions.len();
        (all.get(start..end)? == self.actions).then_some((start, end))
    }
}

impl Scenario {
    fn run(&self) -> Run {
        let subject = Subject::new(self.bounds);
        (self.before)(&subject);
        let simulated = subject.fixture.simulated.clone();
        simulated.settle();
        let (base, entries) = (simulated.image(), subject.fixture.keyring.entries());
        let mut worlds = vec![World::of(&subject)];
        let mut all = worlds[0].actions.clone();
        for step in self.steps {
            step(&subject);
            simulated.acknowledge();
            let world = World::of(&subject);
            let new = world.actions.iter().filter(|action| !all.contains(action));
            let new: Vec<String> = new.cloned().collect();
            all.extend(new);
            worlds.push(world);
        }
        Run {
            log: simulated.log(),
            subject,
            bounds: self.bounds,
            base,
            entries,
            worlds,
            all,
        }
    }
}

impl Run {
    /// Looks at every state a crash may leave: how many there are, or the first thing that is wrong.
    fn check(&self, skip_sync: Option<usize>) -> Result<usize, String> {
        let (mut states, mut wrong) = (0, None);
        let _ = enumerate(
            &self.base,
            &self.entries,
            &self.log,
            skip_sync,
            &mut |crash| {
                states += 1;
                match self.look(&crash) {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(what) => {
                        wrong = Some(format!("after operation {}: {what}", crash.at));
                        ControlFlow::Break(())
                    }
                }
            },
        );
        wrong.map_or(Ok(states), Err)
    }

    fn look(&self, crash: &Crash) -> Result<(), String> {
        let image = crash.image.clone();
        let fixture = self
            .subject
            .fixture
            .after_with(image, crash.entries.clone());
        let vault = fixture.open().map_err(|error| format!("open: {error}"))?;
        if vault.rotation().is_some() {
            advance(&vault, &fixture.keyring).map_err(|error| format!("rotate: {error}"))?;
        }
        let subject = Subject::over(fixture, vault, self.bounds, true);
        let acknowledged = &self.worlds[crash.acknowledged];
        let next = self.worlds.get(crash.acknowledged + 1);
        let next = next.unwrap_or(acknowledged);
        let found = World::of(&subject);
        if found.last < acknowledged.last {
            let (found, last) = (found.last, acknowledged.last);
            return Err(format!("the log ends with record {found}, not {last}"));
        }
        let seen = found.part_of(&self.all);
        let (start, end) = seen.ok_or_else(|| format!("{:?} was never so", found.actions))?;
        let part = |world: &World| world.part_of(&self.all).expect("it was so");
        let (least, (latest_start, most)) = (part(acknowledged).1, part(next));
        if end < least || end > most || start > latest_start {
            let (found, known) = (&found.actions, &acknowledged.actions);
            return Err(format!("{found:?} after {known:?}"));
        }
        go_on(subject)
    }
}

/// The log is sound, goes on, and stays so.
fn go_on(subject: Subject) -> Result<(), String> {
    let sound = |subject: &Subject, when: &str| {
        let verified = verify(&subject.log);
        if verified.is_sound() {
            Ok(())
        } else {
            Err(format!("{when}: {:?}", verified.findings))
        }
    };
    subject
        .log
        .upkeep()
        .map_err(|error| format!("upkeep: {error}"))?;
    sound(&subject, "at once")?;
    append(&subject.log, &["gone on"]);
    subject
        .log
        .upkeep()
        .map_err(|error| format!("upkeep: {error}"))?;
    sound(&subject, "gone on")?;
    let subject = subject.reopened();
    subject
        .log
        .upkeep()
        .map_err(|error| format!("upkeep: {error}"))?;
    sound(&subject, "opened again")?;
    match actions(&subject.log).last() {
        Some(last) if last == "gone on" => Ok(()),
        other => Err(format!("the last is {other:?}")),
    }
}

#[test]
fn every_crash_is_survived() {
    for scenario in SCENARIOS {
        let states = scenario.run().check(None);
        let states = states.unwrap_or_else(|what| panic!("{}: {what}", scenario.name));
        eprintln!("{}: {states} crash states", scenario.name);
        assert!(states > 10, "{}", scenario.name);
    }
}

/// A test of the test: were a sync left out, somebody would notice.
#[test]
fn no_sync_can_be_left_out() {
    let mut unnoticed = Vec::new();
    // What a rotation syncs besides, others look at.
    for scenario in SCENARIOS.iter().filter(|one| one.name != "sealed anew") {
        let run = scenario.run();
        let syncs = run.log.iter().filter(|operation| operation.is_sync());
        for (number, sync) in syncs.enumerate() {
            if run.check(Some(number)).is_ok() {
                unnoticed.push(format!("{}: {number}: {sync:?}", scenario.name));
            }
        }
    }
    assert!(
        unnoticed.is_empty(),
        "not noticed:\n{}",
        unnoticed.join("\n")
    );
}
